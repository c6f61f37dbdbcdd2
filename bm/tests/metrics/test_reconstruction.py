"""Correlation of reconstructions against NumPy, and of constant ones."""

from __future__ import annotations

import numpy as np
import torch

from bm.metrics.reconstruction import correlation


def test_each_item_over_all_its_values() -> None:
    generator = torch.Generator().manual_seed(0)
    target, noise = torch.randn(2, 6, 3, 20, generator=generator)
    predicted = target + noise
    expected = [np.corrcoef(t.ravel(), p.ravel())[0, 1] for t, p in zip(target, predicted)]  # noqa: B905
    np.testing.assert_allclose(correlation(target, predicted), expected, atol=1e-6)
    torch.testing.assert_close(correlation(target, -3 * target + 5), -torch.ones(6))


def test_a_constant_side_correlates_with_nothing() -> None:
    wave = torch.arange(10.0).expand(2, 10)
    flat = torch.ones(2, 10)
    assert correlation(wave, flat).tolist() == correlation(flat, wave).tolist() == [0.0, 0.0]
    assert correlation(flat, flat).tolist() == [0.0, 0.0]


def test_an_offset_of_microvolts_does_not_hide_the_wave() -> None:
    """In float32 the offset leaves the wave few bits: the correlation is computed in float64."""
    wave = torch.sin(torch.arange(1000.0) / 7)[None]
    shifted = (wave.double() + 2.0**12).float()
    result = correlation(wave, shifted)
    assert result.dtype == torch.float32 and result.item() > 0.9999

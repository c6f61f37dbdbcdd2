"""Autocorrelation, amplitudes and copies against their definitions, written as loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bm.metrics import temporal


def waves(count: int, seed: int, samples: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2, samples)).cumsum(-1)


def test_autocorrelation_is_the_biased_one_and_not_circular() -> None:
    x = waves(2, 0) + 5
    centred = x - x.mean(-1, keepdims=True)
    total = (centred**2).sum(-1)
    expected = np.stack(
        [(centred[..., lag:] * centred[..., :-lag]).sum(-1) / total for lag in (1, 2, 30)], -1
    )
    ours = temporal.autocorrelation(x, 30)
    assert ours.shape == (2, 2, 30)
    np.testing.assert_allclose(ours[..., [0, 1, 29]], expected, atol=1e-12)


def test_autocorrelation_distance_by_hand() -> None:
    real, other = np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]])
    assert temporal.autocorrelation_rms(real, other) == pytest.approx((12.5**0.5 + 0) / 2)


def test_amplitudes_are_compared_in_standard_deviations() -> None:
    real = np.array([[[-1.0, 1.0], [-2.0, 2.0]]])
    # Shifts of 1 and 2: one standard deviation of each channel.
    other = real + np.array([1.0, 2.0])[:, None]
    assert temporal.amplitude_distance(real, other) == pytest.approx(1.0)


def test_kurtosis_is_the_mean_of_scipys() -> None:
    x = waves(3, 1)
    expected = stats.kurtosis(x, axis=-1).mean()
    assert temporal.excess_kurtosis(x) == pytest.approx(expected)


def test_largest_correlation_is_that_of_all_pairs_and_lags() -> None:
    generated, train = waves(5, 2), waves(4, 3)
    a, b = (x - x.mean(-1, keepdims=True) for x in (generated, train))
    expected = np.full(5, -np.inf)
    for i, one in enumerate(a):
        for other in b:
            for lag in range(-3, 4):
                left = one[:, max(0, -lag) : 60 + min(0, -lag)].ravel()
                right = other[:, max(0, lag) : 60 + min(0, lag)].ravel()
                r = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
                expected[i] = max(expected[i], r)
    for block in (2, 64):
        ours = temporal.largest_correlations(generated, train, 3, block)
        np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("shift", [-3, 3])
def test_a_copy_is_seen_at_a_shift_to_either_side(shift: int) -> None:
    train = waves(6, 4, 400)
    copy = np.roll(train[2:3], shift, -1)
    assert temporal.largest_correlations(copy, train, 3)[0] > 0.99
    assert temporal.largest_correlations(-copy, train[2:3], 3)[0] < 0  # turned over is no copy


def test_a_silent_wave_copies_nothing() -> None:
    assert temporal.largest_correlations(np.zeros((1, 2, 60)), waves(3, 5), 2).tolist() == [0.0]

"""Baselines of codes: scalar codes of components."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bm.metrics.code_baselines import component_code_error


def test_bits_go_where_the_variance_is() -> None:
    rng = np.random.default_rng(0)
    scale = np.array([4.0, 1.0, 0.1, 0.1])
    train, test = (rng.standard_normal((4000, 4)) * scale for _ in range(2))
    whole = np.square(scale).sum() / 4
    assert component_code_error(train, test, 0) == pytest.approx(whole, rel=0.05)
    # the best 1-bit quantiser of a Gaussian leaves 1 - 2 / pi of its variance
    left = (scale[0] ** 2 * (1 - 2 / np.pi) + np.square(scale[1:]).sum()) / 4
    assert component_code_error(train, test, 1) == pytest.approx(left, rel=0.05)
    errors = [component_code_error(train, test, bits) for bits in range(7)]
    assert all(a > b for a, b in pairwise(errors))
    one = component_code_error(train, test, 8, components=1)
    assert one == pytest.approx(np.square(scale[1:]).sum() / 4, rel=0.05)

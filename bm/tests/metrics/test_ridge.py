"""Ridge probes: equal to scikit-learn's and to leaving each window out; within seconds."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference
from sklearn.preprocessing import StandardScaler

from bm.metrics.ridge import class_targets, fit_ridge, logit_scale


def problem(n: int, d: int, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * rng.uniform(0.1, 10, d) + rng.standard_normal(d)
    y = x @ rng.standard_normal((d, 2)) + noise * rng.standard_normal((n, 2)) * 10
    return x, y


@pytest.mark.parametrize(("n", "d"), [(40, 6), (12, 30)])
def test_it_is_the_reference_at_its_penalty(n: int, d: int) -> None:
    x, y = problem(n, d)
    x = np.column_stack([x, np.full(n, 3.0)])  # a feature that never moves
    ridge = fit_ridge(x, y)
    scaled = StandardScaler().fit_transform(x)
    values = np.linalg.svd(scaled, compute_uv=False)
    unit = (values[values > 1e-9 * values.max()] ** 2).mean()
    theirs = Reference(alpha=ridge.penalty * unit).fit(scaled, y)
    np.testing.assert_allclose(ridge.outputs(x), theirs.predict(scaled), rtol=1e-8, atol=1e-8)
    assert np.all(ridge.weight[:, -1] == 0)


def test_left_out_outputs_are_those_of_fits_without_the_window() -> None:
    """Standardised by all windows, as the shortcut has it."""
    x, y = problem(20, 4)
    ridge = fit_ridge(x, y)
    scaled = StandardScaler().fit_transform(x)
    unit = (np.linalg.svd(scaled, compute_uv=False) ** 2).mean()
    for row in range(20):
        others = np.arange(20) != row
        fit = Reference(alpha=ridge.penalty * unit).fit(scaled[others], y[others])
        np.testing.assert_allclose(ridge.left_out[row], fit.predict(scaled[[row]])[0], rtol=1e-6)


def test_noise_is_penalised_more_than_signal() -> None:
    clean, noisy = (fit_ridge(*problem(60, 40, noise)) for noise in (0.01, 100.0))
    assert clean.penalty < noisy.penalty


def test_logits_are_as_sure_as_they_are_right() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    logits = np.where(labels == 1, 1, -1) * 0.5 + rng.standard_normal(4000)
    # of two normal distributions one apart the log odds are the value itself
    assert logit_scale(logits[:, None], labels) == pytest.approx(1.0, rel=0.15)
    both = np.stack([-logits, logits], 1)
    assert logit_scale(both, labels) == pytest.approx(0.5, rel=0.15)


def test_targets_and_what_cannot_be_fitted() -> None:
    assert class_targets(np.array([0, 1]), 1).tolist() == [[-1.0], [1.0]]
    assert class_targets(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(ValueError, match="two windows or more"):
        fit_ridge(np.zeros((1, 3)), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="finite"):
        fit_ridge(np.full((3, 3), np.nan), np.zeros((3, 1)))
    same = fit_ridge(np.ones((4, 3)), np.array([[0.0], [1.0], [0.0], [1.0]]))
    assert same.outputs(np.ones((1, 3))) == pytest.approx(0.5)


def test_a_thousand_windows_of_a_large_model_take_seconds() -> None:
    x, y = problem(1000, 800)
    begun = time.process_time()
    fit_ridge(x, y)
    assert time.process_time() - begun < 5.0

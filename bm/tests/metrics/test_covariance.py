"""Covariances and Riemannian distances against SciPy's matrix functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from bm.metrics import covariance


def matrices(count: int = 3, channels: int = 4) -> np.ndarray:
    """Symmetric positive matrices (N, C, C)."""
    factors = np.random.default_rng(0).normal(size=(count, channels, channels + 2))
    return factors @ factors.swapaxes(1, 2)


def test_covariances_are_those_of_numpy_with_a_thousandth_on_the_diagonal() -> None:
    waves = np.random.default_rng(1).normal(size=(2, 3, 50)) + 100.0
    for wave, ours in zip(waves, covariance.covariances(waves), strict=True):
        expected = np.cov(wave)
        expected += 1e-3 * np.trace(expected) / 3 * np.eye(3)
        np.testing.assert_allclose(ours, expected)


def test_an_average_reference_leaves_the_logarithm_finite() -> None:
    waves = np.random.default_rng(2).normal(size=(2, 5, 100))
    logs = covariance.matrix_logs(covariance.covariances(waves - waves.mean(1, keepdims=True)))
    assert np.isfinite(logs).all()


def test_logarithms_and_their_mean() -> None:
    members = matrices()
    logs = covariance.matrix_logs(members)
    np.testing.assert_allclose(logs, [linalg.logm(m) for m in members], atol=1e-9)
    mean = covariance.log_euclidean_mean(logs)
    np.testing.assert_allclose(mean, linalg.expm(logs.mean(0)), atol=1e-9)
    same = covariance.log_euclidean_mean(covariance.matrix_logs(members[[0, 0]]))
    np.testing.assert_allclose(same, members[0], atol=1e-9)


def test_distances() -> None:
    a, b, change = matrices()
    root = linalg.inv(linalg.sqrtm(a)).real
    expected = np.linalg.norm(linalg.logm(root @ b @ root))
    assert covariance.riemann_distance(a, b) == pytest.approx(expected)
    # Invariant to a linear change of all channels, such as another reference; the other one is not.
    moved = [change @ m @ change.T for m in (a, b)]
    assert covariance.riemann_distance(*moved) == pytest.approx(expected)
    between = np.linalg.norm(linalg.logm(a) - linalg.logm(b))
    assert covariance.log_euclidean_distance(a, b) == pytest.approx(between)
    assert covariance.riemann_distance(np.eye(2), np.diag([np.e, 1.0])) == pytest.approx(1.0)


def test_correlations_and_their_difference() -> None:
    waves = np.random.default_rng(3).normal(size=(1, 3, 40))
    sample = np.cov(waves[0])[None]
    np.testing.assert_allclose(covariance.correlations(sample)[0], np.corrcoef(waves[0]))
    first, second = np.eye(3)[None], np.ones((2, 3, 3))
    second[:, 0, 2] = second[:, 2, 0] = -0.5
    assert covariance.correlation_difference(first, second) == pytest.approx((1 + 0.5 + 1) / 3)


def test_tangent_features_have_the_distances_of_the_logarithms() -> None:
    logs = covariance.matrix_logs(matrices())
    features = covariance.tangent_features(logs)
    assert features.shape == (3, 10)
    expected = np.linalg.norm(logs[0] - logs[1])
    assert np.linalg.norm(features[0] - features[1]) == pytest.approx(expected)

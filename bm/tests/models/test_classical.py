"""Classical decoders: filters and means whose properties are known, on sources that differ."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.covariance import covariances, matrix_logs, riemann_distance
from bm.models.baselines.csp import CommonSpatialPatterns
from bm.models.baselines.tangent import TangentSpace, riemann_mean, whitened


def sources(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows (n, 5, 400) of mixed sources, k of them loud in class k; labels; mixing."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 20)
    mixing = generator.standard_normal((5, 5))
    x = generator.standard_normal((len(labels), 5, 400))
    x[np.arange(len(labels)), labels] *= 3
    return np.einsum("ij,njt->nit", mixing, x), labels, mixing


def test_filters_of_two_classes_find_their_sources() -> None:
    windows, labels, mixing = sources(2)
    patterns = CommonSpatialPatterns(2).fit(windows, labels)
    gains = np.abs(patterns.filters @ mixing)  # of each source in the output of each filter
    assert gains.argmax(1).tolist() == [0, 1]
    assert (np.sort(gains, 1)[:, -2] < 0.2 * gains.max(1)).all()
    features = patterns.transform(windows)
    assert ((features[:, 0] > features[:, 1]) == (labels == 0)).all()


def test_every_class_of_several_has_filters() -> None:
    windows, labels, _ = sources(4)
    features = CommonSpatialPatterns(2).fit(windows, labels).transform(windows)
    assert features.shape == (80, 8)  # the first filter of each class: loud in it
    assert (features[:, ::2].argmax(1) == labels).mean() > 0.95


def test_the_mean_is_where_the_logarithms_cancel() -> None:
    matrices = covariances(sources(2)[0])
    centre = riemann_mean(matrices)
    assert np.abs(matrix_logs(whitened(matrices, centre)).mean(0)).max() < 1e-7
    # of two matrices that commute it is the geometric mean
    pair = np.stack([np.diag([1.0, 4.0]), np.diag([9.0, 4.0])])
    np.testing.assert_allclose(riemann_mean(pair), np.diag([3.0, 4.0]), atol=1e-9)


def test_norms_are_distances_and_do_not_see_the_mixing() -> None:
    windows, _, mixing = sources(2)
    space = TangentSpace().fit(windows)
    norms = np.linalg.norm(space.transform(windows), axis=1)
    expected = [riemann_distance(space.centre, matrix) for matrix in covariances(windows)]
    assert norms == pytest.approx(expected)
    other = np.linalg.inv(mixing) @ windows  # other electrodes, the same sources
    moved = TangentSpace().fit(other).transform(other)
    # up to the shrinkage of a thousandth
    assert np.linalg.norm(moved, axis=1) == pytest.approx(norms, rel=0.15)

"""Distances of distributions against SciPy and values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, special, stats

from bm.metrics.distribution import class_diversity, frechet_distance, inception_score, paired_kl


def test_frechet_distance_of_numbers_by_hand() -> None:
    """Means 0 and 3, variances 1 and 4: 9 + 1 + 4 - 2 * 2."""
    first = np.array([[-1.0], [0.0], [1.0]])
    assert frechet_distance(first, 2 * first + 3) == pytest.approx(10.0)


def test_frechet_distance_with_the_root_of_scipy() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(80, 4))
    second = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 0.5
    covariances = [np.cov(x, rowvar=False) for x in (first, second)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    offset = np.square(first.mean(0) - second.mean(0)).sum()
    expected = offset + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_frechet_distance_of_fewer_items_than_features_is_a_number() -> None:
    first = np.random.default_rng(1).normal(size=(4, 10)).astype(np.float32)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-5)


def test_divergence_of_pairs() -> None:
    rng = np.random.default_rng(2)
    generated, reference = rng.normal(size=(2, 20, 5)).astype(np.float32)
    p, q = (special.softmax(x.astype(float), 1) for x in (reference, generated))
    expected = stats.entropy(p, q, axis=1).mean()
    assert paired_kl(generated, reference, "softmax") == pytest.approx(expected, abs=1e-4)
    assert paired_kl(reference, reference, "softmax") == 0.0
    p, q = special.expit(0.3), special.expit(-0.4)
    one = paired_kl(np.array([[-0.4]]), np.array([[0.3]]), "sigmoid", 0.0)
    assert one == pytest.approx(p * np.log(p / q))


def test_class_diversity_has_its_two_ends() -> None:
    assert class_diversity(np.full((8, 4), 0.25)) == pytest.approx(1)
    assert class_diversity(np.eye(4)) == pytest.approx(4)
    assert class_diversity(np.eye(4)[[0, 0, 0]]) == pytest.approx(1)


def test_inception_score_of_certain_classes() -> None:
    logits = 100 * np.eye(3)[np.arange(30) % 3]
    mean, sd = inception_score(logits, 1, 0)
    assert mean == pytest.approx(3) and sd == 0.0
    mean, sd = inception_score(logits, 3, 0)  # splits hold the classes in other shares
    assert 2 < mean < 3 and sd > 0
    assert inception_score(np.zeros((30, 3)), 5, 0) == pytest.approx((1.0, 0.0))


@pytest.mark.parametrize("shape", [(30, 24, 60), (300, 200, 60), (10, 12, 400), (50, 2, 1)])
def test_the_frechet_distance_of_few_items_is_that_of_their_covariances(
    shape: tuple[int, int, int],
) -> None:
    n, m, d = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, d)), rng.normal(0.2, 1.3, (m, d))
    means, covariances = zip(*((x.mean(0), np.cov(x.T).reshape(d, d)) for x in (a, b)), strict=True)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real.trace()
    distance = np.square(means[0] - means[1]).sum() + sum(c.trace() for c in covariances) - 2 * root
    np.testing.assert_allclose(frechet_distance(a, b), distance, rtol=1e-5)

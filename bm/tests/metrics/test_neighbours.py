"""Distances of point sets against their definitions, written as loops, and against SciPy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from bm.metrics import neighbours


def points(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3)) + shift


def unbiased(kernel, a: np.ndarray, b: np.ndarray) -> float:
    """MMD^2 by the sum over distinct pairs."""
    within = [
        np.mean([kernel(x, y) for x, y in combinations(rows, 2)]) for rows in (a, b)
    ]  # fmt: skip
    between = np.mean([kernel(x, y) for x in a for y in b])
    return float(within[0] + within[1] - 2 * between)


def test_kernel_distances_by_their_definition() -> None:
    a, b = points(8, 0), points(6, 1, 0.5)
    cubic = unbiased(lambda x, y: (x @ y / 3 + 1) ** 3, a, b)
    assert neighbours.mmd_cubic(a, b) == pytest.approx(cubic)
    pooled = np.concatenate([a, b])
    h = np.median([np.square(x - y).sum() for x, y in combinations(pooled, 2)])
    distance, bandwidth = neighbours.mmd_rbf(a, b)
    assert bandwidth == pytest.approx(h)
    expected = unbiased(lambda x, y: np.exp(-np.square(x - y).sum() / h), a, b)
    assert distance == pytest.approx(expected)


def test_the_unbiased_distance_of_one_distribution_is_around_zero() -> None:
    values = [neighbours.mmd_rbf(points(20, 2 * i), points(20, 2 * i + 1))[0] for i in range(60)]
    assert np.mean(values) == pytest.approx(0.0, abs=3 * stats.sem(values))
    assert min(values) < 0 < max(values)


def test_the_permutation_p_is_uniform_without_a_difference() -> None:
    p = [neighbours.mmd_p_value(points(8, 2 * i), points(8, 2 * i + 1), 39, i) for i in range(80)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert neighbours.mmd_p_value(points(8, 0), points(8, 1, 5.0), 39, 0) == 1 / 40


def test_manifold_metrics_on_a_line_by_hand() -> None:
    """k = 1: radii of the real points are 1, 1, 2, of the generated ones 2, 2, 6.5."""
    real, generated = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [2.5], [9.0]])
    assert neighbours.manifold_metrics(real, generated, k=1) == {
        "precision": pytest.approx(2 / 3),  # 9 is in no ball
        "recall": pytest.approx(1.0),
        "density": pytest.approx((2 + 1 + 0) / 3),  # 0.5 in the balls of 0 and 1, 2.5 in that of 3
        "coverage": pytest.approx(1.0),
    }


def test_authenticity_by_hand() -> None:
    train = np.array([[0.0], [1.0], [10.0]])
    # 0.2 is nearer to 0 than 1 is; 3 is farther from 1 than 0 is; 12 is nearer to 10 than 1 is.
    generated = np.array([[0.2], [3.0], [12.0]])
    assert neighbours.authenticity(train, generated) == pytest.approx(1 / 3)
    assert neighbours.authenticity(train, train) == 0.0


def test_copying_is_the_test_of_mann_and_whitney() -> None:
    train, test, generated = points(30, 4), points(25, 5), points(20, 6, 0.3)
    result = neighbours.data_copying(train, test, generated)
    nearest = [np.linalg.norm(x[:, None] - train, axis=-1).min(1) for x in (generated, test)]
    expected = stats.mannwhitneyu(*nearest, use_continuity=False, method="asymptotic")
    assert result["prob_generated_closer_than_test"] == pytest.approx(
        1 - expected.statistic / (20 * 25)
    )
    p = 2 * stats.norm.sf(abs(result["data_copying_z"]))
    assert p == pytest.approx(expected.pvalue)
    assert result["median_nn_ratio"] == pytest.approx(np.median(nearest[0]) / np.median(nearest[1]))


def test_ties_count_half() -> None:
    train = np.zeros((2, 1))
    same = neighbours.data_copying(train, np.ones((3, 1)), np.ones((4, 1)))
    assert same["prob_generated_closer_than_test"] == 0.5 and same["data_copying_z"] == 0.0


def test_diversity_is_of_distinct_pairs() -> None:
    real, generated = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [3.0]])
    assert neighbours.diversity_ratio(real, generated) == pytest.approx(3 / (4 / 3))
    assert neighbours.diversity_ratio(real, np.zeros((5, 1))) == 0.0


def test_units_change_sides_whole() -> None:
    """Ten people with clouds of their own: single points are exchanged far too freely."""

    def clouds(seed: int, people: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        centres = np.repeat(generator.standard_normal((people, 2)), 8, 0)
        return centres + 0.2 * generator.standard_normal((people * 8, 2))

    units = np.repeat(np.arange(5), 8)
    both = [(clouds(2 * i, 5), clouds(2 * i + 1, 5)) for i in range(40)]
    by_unit = [neighbours.mmd_p_value(*pair, 39, 0, (units, units + 5)) for pair in both]
    by_point = [neighbours.mmd_p_value(*pair, 39, 0) for pair in both]
    assert np.mean(np.array(by_unit) <= 0.05) <= 0.15 < np.mean(np.array(by_point) <= 0.05)
    # a person and what was generated in that person's place change sides together
    sides = np.arange(80) < 40
    moved = neighbours.swapped_units(sides, (units, units), np.random.default_rng(1))
    assert moved.sum() == 40 and (moved[:40] != moved[40:]).all()

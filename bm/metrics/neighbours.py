"""Generated against real points in a feature space: distributions, copies, diversity.

Points are rows (N, D).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import rankdata


def mmd_cubic(first: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased MMD^2 with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018)."""
    d = first.shape[1]
    return _mmd(*((a @ b.T / d + 1) ** 3 for a, b in _pairs(first, second)))


def mmd_rbf(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return the unbiased MMD^2 with exp(-d^2 / h), and h.

    The bandwidth h is the median squared distance over the distinct pairs of the pooled set.

    Source: Gretton et al. 2012.
    """
    h = float(np.median(pdist(np.concatenate([first, second]), "sqeuclidean")))
    kernels = (np.exp(-cdist(a, b, "sqeuclidean") / h) for a, b in _pairs(first, second))
    return _mmd(*kernels), h


def _pairs(first: np.ndarray, second: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(first, first), (second, second), (first, second)]


def _mmd(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> float:
    """Return the unbiased MMD^2 from kernels within and between two sets."""
    n, m = xy.shape
    # Without the diagonals: the kernel of a point with itself is what biases the estimate.
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def mmd_p_value(
    first: np.ndarray,
    second: np.ndarray,
    permutations: int,
    seed: int,
    units: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """Return the permutation p of the RBF distance: (1 + number >= observed) / (1 + permutations).

    The bandwidth is that of the pooled set, the same for every permutation.

    Args:
        first, second: (N, D) and (M, D) points.
        permutations: random ones.
        seed: of them.
        units: number of the unit (person, recording) of each point of both sets, which changes
            sides whole; None = every point is one, as published.
    """
    pooled, generator = np.concatenate([first, second]), np.random.default_rng(seed)
    squared = cdist(pooled, pooled, "sqeuclidean")
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(len(pooled), 1)]))
    sides = np.arange(len(pooled)) < len(first)
    if units is None:
        orders = (generator.permutation(len(pooled)) for _ in range(permutations))
        drawn_sides = (_first_of(order, len(first)) for order in orders)
    else:
        drawn_sides = (swapped_units(sides, units, generator) for _ in range(permutations))

    def distance(inside: np.ndarray) -> float:
        a, b = np.flatnonzero(inside), np.flatnonzero(~inside)
        return _mmd(kernel[np.ix_(a, a)], kernel[np.ix_(b, b)], kernel[np.ix_(a, b)])

    observed = distance(sides)
    return (1 + sum(distance(drawn) >= observed for drawn in drawn_sides)) / (1 + permutations)


def _first_of(order: np.ndarray, count: int) -> np.ndarray:
    """Return which points (N,) are among the first `count` of an order."""
    inside = np.zeros(len(order), bool)
    inside[order[:count]] = True
    return inside


def swapped_units(
    sides: np.ndarray, units: tuple[np.ndarray, np.ndarray], generator: np.random.Generator
) -> np.ndarray:
    """Return sides (N,) under another drawing of the units.

    A unit that is in both sets (a person, and what was generated in that person's place) changes
    both of its parts or none; those of one set alone are dealt out anew.
    """
    codes = np.unique(np.concatenate(units), return_inverse=True)[1]
    first, second = (np.bincount(codes[part], minlength=codes.max() + 1) > 0
                     for part in (sides, ~sides))  # fmt: skip
    flips = generator.integers(0, 2, len(first)).astype(bool)
    alone = np.flatnonzero(first != second)
    place = np.zeros(len(first), bool)
    place[alone] = generator.permutation(first[alone])
    shared = first & second
    return np.where(shared[codes], sides ^ flips[codes], place[codes])


def manifold_metrics(real: np.ndarray, generated: np.ndarray, k: int = 5) -> dict[str, float]:
    """Return precision, recall (Kynkaanniemi et al. 2019), density, coverage (Naeem et al. 2020).

    The radius of a point is its distance to the k-th nearest other point of its own set.
    """
    # Column 0 is the point itself, so that column k is its k-th other point.
    radius_real, radius_generated = (np.sort(cdist(x, x), 1)[:, k] for x in (real, generated))
    distance = cdist(real, generated)
    inside_real = distance <= radius_real[:, None]
    return {
        "precision": float(inside_real.any(0).mean()),
        "recall": float((distance <= radius_generated[None]).any(1).mean()),
        "density": float(inside_real.sum(0).mean() / k),
        "coverage": float((distance.min(1) <= radius_real).mean()),
    }


def authenticity(train: np.ndarray, generated: np.ndarray) -> float:
    """Return the share of generated points farther from their nearest training point than that
    one is from the nearest other training point (Alaa et al. 2022)."""
    between = cdist(train, train)
    np.fill_diagonal(between, np.inf)
    distance = cdist(generated, train)
    nearest = distance.argmin(1)
    return float((distance.min(1) > between.min(1)[nearest]).mean())


def data_copying(train: np.ndarray, test: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """Return whether generated points are nearer to the training set than held-out ones.

    Source: Meehan et al. 2020, without cells: a Mann-Whitney test of nearest distances.

    Returns:
        prob_generated_closer_than_test: .5 is ideal; data_copying_z: strongly negative = copies;
        median_nn_ratio: generated over test.
    """
    a, b = (cdist(x, train).min(1) for x in (generated, test))
    n, m = len(a), len(b)
    # Of the Mann-Whitney U: ties have their mean rank and count half.
    ranks = rankdata(np.concatenate([a, b]))
    larger = ranks[:n].sum() - n * (n + 1) / 2  # pairs with a > b, ties half
    z = (larger - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)
    return {
        "prob_generated_closer_than_test": float(1 - larger / (n * m)),
        "data_copying_z": float(z),
        "median_nn_ratio": float(np.median(a) / np.median(b)),
    }


def diversity_ratio(real: np.ndarray, generated: np.ndarray) -> float:
    """Return the mean distance between distinct generated points over that between real ones."""
    return float(pdist(generated).mean() / pdist(real).mean())

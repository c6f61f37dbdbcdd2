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


def mmd_p_value(first: np.ndarray, second: np.ndarray, permutations: int, seed: int) -> float:
    """Return the permutation p of the RBF distance: (1 + number >= observed) / (1 + permutations).

    The bandwidth is that of the pooled set, the same for every permutation.
    """
    pooled = np.concatenate([first, second])
    squared = cdist(pooled, pooled, "sqeuclidean")
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(len(pooled), 1)]))
    generator, n = np.random.default_rng(seed), len(first)

    def distance(order: np.ndarray) -> float:
        a, b = order[:n], order[n:]
        return _mmd(kernel[np.ix_(a, a)], kernel[np.ix_(b, b)], kernel[np.ix_(a, b)])

    observed = distance(np.arange(len(pooled)))
    drawn = (distance(generator.permutation(len(pooled))) for _ in range(permutations))
    return (1 + sum(value >= observed for value in drawn)) / (1 + permutations)


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

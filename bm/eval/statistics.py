"""Statistics of tables: intervals over seeds, paired tests over items, Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean over seeds; NaN for fewer than two values."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.5 + level / 2, len(array) - 1) * stats.sem(array)
    return float(array.mean() - half), float(array.mean() + half)


def paired_permutation(
    first: Sequence[float], second: Sequence[float], draws: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p of the mean difference of paired scores, by random sign flips.

    Args:
        first, second: score of each item under two models, in the same order.
        draws: random sign patterns; the observed one counts too, so p > 0.
    """
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    observed = abs(difference.mean())
    generator = np.random.default_rng(seed)
    hits = 0
    for start in range(0, draws, 1000):
        signs = generator.choice((-1.0, 1.0), (min(1000, draws - start), len(difference)))
        hits += int((np.abs(signs @ difference) / len(difference) >= observed - 1e-12).sum())
    return (hits + 1) / (draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for several tests (Holm, 1979), in the order given."""
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = running
    return [float(p) for p in corrected]

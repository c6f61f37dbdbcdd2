"""Statistics of tables: intervals over seeds, paired tests over items and people, Holm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

LEAST_PAIRS = 6  # fewer cannot reach p < 0.05 in two-sided tests of signs: 2 / 2**5 = 0.0625
DECIMALS = 12  # of scores: differences that are equal on paper differ by rounding in binary


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return Student's interval of the mean over seeds; NaN for fewer than two values."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.5 + confidence / 2, len(array) - 1) * stats.sem(array)
    return float(array.mean() - half), float(array.mean() + half)


def paired_permutation(
    first: Sequence[float], second: Sequence[float], draws: int = 100_000, seed: int = 0
) -> float:
    """Return the two-sided p of the mean difference of paired scores, by random sign flips.

    Differences of one size flip as one binomial draw: scores of items take few values, and a
    hundred thousand items cost no more than a hundred.

    Args:
        first, second: score of each item under two models, in the same order.
        draws: random sign patterns; the observed one counts too, so p > 0.
        seed: of the draws.
    """
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    observed = abs(difference.sum())
    sizes, counts = np.unique(np.abs(difference).round(DECIMALS), return_counts=True)
    generator = np.random.default_rng(seed)
    sums = np.zeros(draws)
    for size, count in zip(sizes[sizes > 0], counts[sizes > 0], strict=True):
        sums += size * (2.0 * generator.binomial(count, 0.5, draws) - count)
    # Patterns as extreme as the observed one count; sums in another order differ by rounding.
    hits = int((np.abs(sums) >= observed - 1e-9).sum())
    return (hits + 1) / (draws + 1)


def wilcoxon_signed_rank(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the two-sided p of Wilcoxon's signed-rank test of paired scores.

    Pairs without a difference are left out; ranks of equal differences are shared. The null
    distribution is that of all sign patterns of these very ranks, exact with ties too, where
    SciPy falls back to the normal approximation. None for fewer than six pairs.

    Args:
        first, second: score of each person under two models, in the same order.
    """
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if len(difference) < LEAST_PAIRS:
        return None
    difference = difference[np.abs(difference) > 10.0**-DECIMALS]
    if not len(difference):
        return 1.0
    # Twice the ranks are whole numbers: their sum has a distribution over as many places.
    ranks = np.rint(2 * stats.rankdata(np.abs(difference).round(DECIMALS))).astype(int)
    chances = np.ones(1)
    for rank in ranks:
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    low = int(ranks[difference > 0].sum())
    low = min(low, int(ranks.sum()) - low)
    return float(min(1.0, 2 * chances[: low + 1].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for several tests (Holm, 1979), in the order of the arguments."""
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        # Never below a smaller p's corrected value, so that the order of the tests stays.
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = running
    return [float(p) for p in corrected]

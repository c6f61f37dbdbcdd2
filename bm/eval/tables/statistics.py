"""Tests of tables: paired, over units of evidence, corrected for their number (Holm)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special, stats

from ...metrics.intervals import crossed_variance, effective_count
from ...metrics.units import LEAST_UNITS, Units

DECIMALS = 12  # of scores: differences that are equal on paper differ by rounding in binary
EXACT = 18  # units up to which all 2**17 patterns of signs are looked at, else `DRAWS` of them
DRAWS = 100_000

Values = Sequence[float] | np.ndarray


def sign_flip(differences: Values, draws: int = DRAWS, seed: int = 0) -> float | None:
    """Return the two-sided p of a sum of differences, one of each unit, by flips of their signs.

    Exact for up to `EXACT` units, else by random patterns, of which the observed one is one. None
    for fewer than six units.

    Args:
        differences: (U,) of each unit between two models.
        draws: random patterns.
        seed: of the draws.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < LEAST_UNITS:
        return None
    # Patterns as extreme as the observed one count; sums in another order differ by rounding.
    edge = abs(values.sum()) - 1e-9 * max(np.abs(values).sum(), 1e-300)
    if len(values) <= EXACT:
        sums = values[:1]
        for value in values[1:]:  # the first sign stays: the other half of patterns mirrors this
            sums = np.concatenate([sums + value, sums - value])
        return float((np.abs(sums) >= edge).mean())
    generator, hits = np.random.default_rng(seed), 0
    for start in range(0, draws, 10_000):
        size = min(10_000, draws - start)
        signs = 2.0 * generator.integers(0, 2, (size, len(values)), np.int8) - 1
        hits += int((np.abs(signs @ values) >= edge).sum())
    return (hits + 1) / (draws + 1)


def sums_by(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the sum of values (N,) of each code that occurs, (U,)."""
    return np.bincount(np.unique(codes, return_inverse=True)[1], values)


def crossed_test(parts: np.ndarray, units: Units) -> float:
    """Return the two-sided p of a sum of items of two crossed kinds of units.

    Student's t of the sum over the root of its variance over people and stimuli (Cameron, Gelbach
    and Miller 2011), with the fewer effective units less one.

    Args:
        parts: (N,) of the sum, weighted.
        units: with stimuli.
    """
    assert units.stimuli is not None
    total, rest = parts.sum(), parts - parts.mean()
    pairs = units.codes.astype(np.int64) * (int(units.stimuli.max()) + 1) + units.stimuli
    variances, counts = [], []
    for codes in (units.codes, units.stimuli, pairs):
        sums = sums_by(rest, codes)
        variances.append(float(len(sums) / (len(sums) - 1) * np.square(sums).sum()))
        counts.append(effective_count(sums_by(np.ones(len(rest)), codes)))
    variance = crossed_variance(variances)
    if variance <= 0:
        return 1.0 if abs(total) < 10.0**-DECIMALS else 0.0
    return float(2 * stats.t.sf(abs(total) / np.sqrt(variance), min(counts[:2]) - 1))


def paired_test(differences: np.ndarray, weights: np.ndarray, units: Units) -> float | None:
    """Return the two-sided p of the weighted mean of paired differences; None of too few units.

    The sums of units are flipped; where units share stimuli, the larger p of that and of
    `crossed_test` counts: what all people find easier is no evidence of each.

    Args:
        differences: (N,) between the scores of an item under two models.
        weights: (N,) of the items.
        units: of the items.
    """
    if units.few:
        return None
    parts = differences * weights
    p = sign_flip(sums_by(parts, units.codes).tolist())
    if p is None or units.stimuli is None:
        return p
    return max(p, crossed_test(parts, units))


def wilcoxon_signed_rank(first: Values, second: Values) -> float | None:
    """Return the two-sided p of Wilcoxon's signed-rank test of paired scores.

    Pairs without a difference are left out; ranks of equal differences are shared. The null
    distribution is that of all sign patterns of these very ranks, exact with ties too, where
    SciPy falls back to the normal approximation. None for fewer than six pairs.

    Args:
        first, second: score of each person under two models, in the same order.
    """
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if len(difference) < LEAST_UNITS:
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


def effect_size(differences: Values) -> float | None:
    """Return Hedges' g of paired differences: their mean in sds, corrected for few units.

    None for fewer than two units, or where all differences are the same.

    Source: Hedges 1981, with the exact correction by gamma functions.
    """
    values = np.asarray(differences, dtype=float)
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    if spread < 10.0**-DECIMALS:
        return None
    free = len(values) - 1
    # of one degree of freedom the correction is 0: one sd of two values says nothing
    logs = special.gammaln(free / 2) - special.gammaln((free - 1) / 2) if free > 1 else -np.inf
    return float(np.exp(logs) * np.sqrt(2 / free) * values.mean() / spread)


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

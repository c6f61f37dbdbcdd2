"""95 % intervals that count units of evidence, by leaving each unit out in turn.

The jackknife over units (Efron and Stein 1981) on the scale of logits, with Student's t of the
effective number of units less one (Carter, Schnepel and Steigerwald 2017); two crossed kinds of
units add their variances less that of their pairs (Cameron, Gelbach and Miller 2011). Simulated
shares of 8 people and more, of equal and of very unequal numbers of windows, are covered in .943
to .970 of draws; percentiles of resampled people in .90 to .96, also when widened for few people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy

from .units import Units

Interval = tuple[float, float]
#: (N,) bool of items that count -> value of a metric.
Metric = Callable[[np.ndarray], float]
HALF = 0.5  # item that is added right, and another wrong: logits of 0 and 1 are finite


def effective_count(sizes: np.ndarray) -> float:
    """Return the number of units of one size whose sum varies as that of `sizes`, at least 2."""
    return max(2.0, float(sizes.sum() ** 2 / (sizes**2).sum()))


def _logits(values: np.ndarray, sizes: np.ndarray | float, bounds: Interval) -> np.ndarray:
    """Return logits of values within bounds, half an item away from the ends."""
    shares = (np.asarray(values, float) - bounds[0]) / (bounds[1] - bounds[0])
    return np.asarray(scipy.special.logit((shares * sizes + HALF) / (sizes + 2 * HALF)))


def jackknife_variance(whole: float, parts: np.ndarray) -> float:
    """Return the variance of a value from the values without each of U units, (U,)."""
    count = len(parts)
    return float((count - 1) / count * np.square(parts - whole).sum())


def interval_of(
    whole: float, parts: np.ndarray, sizes: np.ndarray, bounds: Interval | None = (0.0, 1.0)
) -> Interval | None:
    """Return the 95 % interval of a value from its values without each unit.

    Args:
        whole: of all units.
        parts: (U,) without each unit.
        sizes: (U,) items of each unit.
        bounds: of the value, e.g. 0 and 1 of a share; None = it has none.

    Returns:
        None where a value is not finite, e.g. without the one person that has a class.
    """
    if not np.isfinite(whole) or not np.isfinite(parts).all():
        return None
    n = float(sizes.sum())
    if bounds is None:
        half = _quantile(sizes) * np.sqrt(jackknife_variance(whole, parts))
        return float(whole - half), float(whole + half)
    middle = float(_logits(np.asarray(whole), n, bounds))
    variance = jackknife_variance(middle, _logits(parts, n - sizes, bounds))
    return _back(whole, variance, n, _quantile(sizes), bounds)


def _quantile(*sizes: np.ndarray) -> float:
    """Return Student's quantile for the fewest effective units."""
    return float(scipy.special.stdtrit(min(map(effective_count, sizes)) - 1, 0.975))


def _back(whole: float, variance: float, n: float, quantile: float, bounds: Interval) -> Interval:
    """Return the ends of the interval of a value whose logit has some variance.

    Args:
        whole: the value.
        variance: of its logit.
        n: items.
        quantile: of Student's t.
        bounds: of the value.
    """
    middle = float(_logits(np.asarray(whole), n, bounds))
    share = scipy.special.expit(middle)
    right = share * (n + 2 * HALF) - HALF
    if not 1e-6 < right < n - 1e-6:
        # where all are right, or none, units show no spread: then it is that of n single items
        variance = max(variance, 1 / (n * share * (1 - share)))
    half, width = quantile * np.sqrt(variance), bounds[1] - bounds[0]
    ends = bounds[0] + width * scipy.special.expit([middle - half, middle + half])
    return float(min(ends[0], whole)), float(max(ends[1], whole))


def metric_interval(
    metric: Metric, units: Units, bounds: Interval | None = (0.0, 1.0)
) -> Interval | None:
    """Return the 95 % interval of any metric over people or other units; None of too few.

    Args:
        metric: of the items that an array (N,) bool names; called once more than there are units.
        units: of N items; stimuli that they share are not looked at, see `share_interval`.
        bounds: of the metric.
    """
    if units.few:
        return None
    present, codes = np.unique(units.codes, return_inverse=True)
    parts = np.array([metric(codes != number) for number in range(len(present))])
    whole = metric(np.ones(len(codes), bool))
    return interval_of(whole, parts, np.bincount(codes).astype(float), bounds)


def class_means(scores: np.ndarray, classes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the mean over classes of the mean score without each unit, (U,)."""
    count = int(codes.max()) + 1
    means = []
    for k in np.unique(classes):
        inside = (classes == k).astype(float)
        sums = np.bincount(codes, scores * inside, minlength=count)
        totals = np.bincount(codes, inside, minlength=count)
        left = totals.sum() - totals
        means.append(np.where(left > 0, (sums.sum() - sums) / np.maximum(left, 1), np.nan))
    return np.nanmean(np.array(means), 0)  # a class that only one unit had


def share_interval(
    scores: np.ndarray, units: Units, classes: np.ndarray | None = None
) -> Interval | None:
    """Return the 95 % interval of a mean score from 0 to 1; None of too few units.

    Args:
        scores: (N,) of items.
        units: of the items; stimuli that several units share count as units of their own.
        classes: (N,), of which each weighs the same (balanced accuracy); None = each item does.
    """
    if units.few:
        return None
    classes = np.zeros(len(scores), int) if classes is None else classes
    n, bounds = float(len(scores)), (0.0, 1.0)
    whole = float(np.mean([scores[classes == k].mean() for k in np.unique(classes)]))
    middle = float(_logits(np.asarray(whole), n, bounds))
    variances, sizes = [], []
    for codes in _crossings(units):
        counts = np.bincount(codes).astype(float)
        parts = _logits(class_means(scores, classes, codes), n - counts, bounds)
        variances.append(jackknife_variance(middle, parts))
        sizes.append(counts)
    # pairs of a person and a stimulus are no units that limit the degrees of freedom
    return _back(whole, crossed_variance(variances), n, _quantile(*sizes[:2]), bounds)


def _crossings(units: Units) -> list[np.ndarray]:
    """Return the codes of the units; of crossed ones those of the stimuli and of the pairs too."""
    codes = np.unique(units.codes, return_inverse=True)[1]
    if units.stimuli is None:
        return [codes]
    stimuli = np.unique(units.stimuli, return_inverse=True)[1]
    pairs = np.unique(np.stack([codes, stimuli]), axis=1, return_inverse=True)[1]
    return [codes, stimuli, pairs.ravel()]


def crossed_variance(variances: list[float]) -> float:
    """Return the variance of one kind of unit, or of two from theirs and that of their pairs."""
    if len(variances) == 1:
        return variances[0]
    first, second, pairs = variances
    # an estimate: it may fall below one of its parts, which the truth never does
    return max(first + second - pairs, first, second)


def resampled_interval(whole: float, sd: float, sizes: np.ndarray) -> Interval:
    """Return the 95 % interval of a value from its sd over draws of units with replacement.

    Args:
        whole: of all units.
        sd: over the draws.
        sizes: (U,) items of each unit.
    """
    # the variance of a draw of U units divides by U, that of the units by U - 1
    half = _quantile(sizes) * sd * np.sqrt(len(sizes) / (len(sizes) - 1))
    return float(whole - half), float(whole + half)


def difference_interval(
    differences: np.ndarray, weights: np.ndarray, units: Units
) -> Interval | None:
    """Return the 95 % interval of a weighted mean of paired differences; None of too few units.

    Args:
        differences: (N,) from -1 to 1, of the scores of one item under two models.
        weights: (N,) of the items.
        units: of the items.
    """
    if units.few:
        return None
    whole = float((differences * weights).sum() / weights.sum())
    variances, sizes = [], []
    for codes in _crossings(units):
        sums, totals = np.bincount(codes, differences * weights), np.bincount(codes, weights)
        parts = (sums.sum() - sums) / (totals.sum() - totals)
        variances.append(jackknife_variance(whole, parts))
        sizes.append(np.bincount(codes).astype(float))
    half = _quantile(*sizes[:2]) * np.sqrt(crossed_variance(variances))
    return float(whole - half), float(whole + half)


def seed_interval(values: Sequence[float]) -> Interval | None:
    """Return Student's 95 % interval of the mean over seeds; None of too few.

    Seeds are units of training: how much it would vary if it were done again on the same people.
    """
    units = Units("seed", np.arange(len(values)))
    if units.few:
        return None
    # scipy.stats has both, and takes over a second to import.
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    half = scipy.special.stdtrit(len(values) - 1, 0.975) * error
    return float(np.mean(values) - half), float(np.mean(values) + half)

"""95 % intervals of the metrics of classification over people or other units of evidence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .intervals import Interval, Metric, metric_interval, share_interval
from .units import Units

SHARES = (0.0, 1.0)
AGREEMENT = (-1.0, 1.0)  # of kappa


def class_intervals(labels: np.ndarray, probs: np.ndarray, units: Units) -> dict[str, Interval]:
    """Return the intervals of the metrics of `classification_metrics`; none of too few units.

    A metric has none where it is not defined without one of the units, e.g. the AUROC where one
    person has all items of a class.

    Args:
        labels: (N,) class numbers.
        probs: (N, K) class probabilities.
        units: of the items.
    """
    decided = probs.argmax(1)
    right = (decided == labels).astype(float)
    intervals = {
        "accuracy": share_interval(right, units),
        "balanced_accuracy": share_interval(right, units, labels),
    }
    for name, (metric, bounds) in _others(labels, decided, probs).items():
        intervals[name] = metric_interval(metric, units, bounds)
    return {name: interval for name, interval in intervals.items() if interval is not None}


def _others(
    labels: np.ndarray, decided: np.ndarray, probs: np.ndarray
) -> dict[str, tuple[Metric, Interval]]:
    """Return the metrics that are no mean over items, with their bounds."""
    classes = probs.shape[1]
    counted = partial(_of_counts, labels * classes + decided, classes)
    metrics: dict[str, tuple[Metric, Interval]] = {
        "kappa": (counted(kappa), AGREEMENT),
        "f1_weighted": (counted(f1_weighted), SHARES),
    }
    if classes == 2:
        ranking = Ranking(labels, probs[:, 1])
        metrics |= {"auroc": (ranking.auroc, SHARES), "auc_pr": (ranking.auc_pr, SHARES)}
    return metrics


def _of_counts(cells: np.ndarray, classes: int, metric: Callable[[np.ndarray], float]) -> Metric:
    """Return a metric of some items from one of their confusion matrix (K, K)."""

    def value(inside: np.ndarray) -> float:
        counts = np.bincount(cells, inside.astype(float), minlength=classes**2)
        return metric(counts.reshape(classes, classes))

    return value


def kappa(counts: np.ndarray) -> float:
    """Return Cohen's kappa of a confusion matrix (K, K), 0 where one class is all there is."""
    total = counts.sum()
    chance = float(counts.sum(0) @ counts.sum(1)) / total**2
    return 0.0 if chance >= 1 else float((np.trace(counts) / total - chance) / (1 - chance))


def f1_weighted(counts: np.ndarray) -> float:
    """Return the mean F1 of a confusion matrix (K, K), weighted by the true classes."""
    both = counts.sum(0) + counts.sum(1)
    scores = np.divide(2 * np.diag(counts), both, out=np.zeros(len(counts)), where=both > 0)
    return float(scores @ counts.sum(1) / counts.sum())


class Ranking:
    """Items of two classes in the order of their scores, for areas under the curves of some.

    Args:
        labels: (N,) 0 or 1.
        scores: (N,) of class 1.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.labels = labels[self.order].astype(float)
        # equal scores are one step of a curve
        self.steps = np.append(np.flatnonzero(np.diff(scores[self.order])), len(scores) - 1)

    def _counts(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many of class 1 and of class 0 lie above each step."""
        weights = inside[self.order].astype(float)
        return (np.cumsum(weights * self.labels)[self.steps],
                np.cumsum(weights * (1 - self.labels))[self.steps])  # fmt: skip

    def auroc(self, inside: np.ndarray) -> float:
        """Return the area under the ROC curve, NaN where a class is missing."""
        right, wrong = self._counts(inside)
        if not right[-1] or not wrong[-1]:
            return float("nan")
        area = np.trapezoid(np.append(0, right), np.append(0, wrong))
        return float(area / (right[-1] * wrong[-1]))

    def auc_pr(self, inside: np.ndarray) -> float:
        """Return the average precision, NaN where there is nothing of class 1."""
        right, wrong = self._counts(inside)
        if not right[-1]:
            return float("nan")
        precision = right / np.maximum(right + wrong, 1)
        return float((np.diff(right, prepend=0) * precision).sum() / right[-1])

"""Metrics of classification over a whole split, with their chance levels.

In numpy: scikit-learn takes .9 s of processor time to import, which every run would wait for.
"""

from __future__ import annotations

import numpy as np


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of (N, K) logits."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))  # exp of large logits overflows
    return shifted / shifted.sum(1, keepdims=True)


def classification_metrics(probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return all metrics of a split.

    Args:
        probs: (N, K) class probabilities.
        labels: (N,) class numbers.

    Returns:
        accuracy, balanced_accuracy, kappa, f1_weighted; for two classes auroc and auc_pr too.
    """
    decided = probs.argmax(1)
    metrics = {
        "accuracy": float((labels == decided).mean()),
        "balanced_accuracy": balanced_accuracy(labels, decided),
        "kappa": cohen_kappa(labels, decided),
        "f1_weighted": f1_weighted(labels, decided),
    }
    # With one class in the labels the areas are not defined: left out, never a 0 or a 1.
    if probs.shape[1] == 2 and len(np.unique(labels)) == 2:
        metrics["auroc"] = auroc(labels, probs[:, 1])
        metrics["auc_pr"] = auc_pr(labels, probs[:, 1])
    return metrics


def balanced_accuracy(labels: np.ndarray, decided: np.ndarray) -> float:
    """Return the mean over the classes that occur of the share of their items decided right."""
    shares = [(decided[labels == k] == k).mean() for k in np.unique(labels)]
    return float(np.mean(shares))


def counts(labels: np.ndarray, decided: np.ndarray) -> np.ndarray:
    """Return how many items of class i were decided as class j: (K, K) of K classes that occur."""
    names, index = np.unique(np.concatenate([labels, decided]), return_inverse=True)
    pairs = index[: len(labels)] * len(names) + index[len(labels) :]
    return np.bincount(pairs, minlength=len(names) ** 2).reshape(len(names), len(names))


def f1_weighted(labels: np.ndarray, decided: np.ndarray) -> float:
    """Return the harmonic mean of recall and precision, over classes by their number of items."""
    table = counts(labels, decided)
    of_class, as_class = table.sum(1), table.sum(0)
    return float(np.average(2 * table.diagonal() / (of_class + as_class), weights=of_class))


def cohen_kappa(labels: np.ndarray, decided: np.ndarray) -> float:
    """Return the agreement beyond chance; 0 when both name one and the same class only.

    Scikit-learn divides 0 by 0 there.
    """
    table = counts(labels, decided)
    if len(table) < 2:
        return 0.0
    wrong = 1 - np.eye(len(table))
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    return float(1 - (wrong * table).sum() / (wrong * expected).sum())


def _above(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positives and items at or above each score that occurs, from the highest down."""
    if not np.isfinite(scores).all():
        raise ValueError("scores that are not finite have no order")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores are one threshold
    return np.cumsum(labels[order])[last], np.flatnonzero(last) + 1


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the receiver's curve of two classes, both of which must occur."""
    positives, items = _above(labels, scores)
    hits = np.concatenate([[0], positives]) / positives[-1]
    alarms = np.concatenate([[0], items - positives]) / (items[-1] - positives[-1])
    return float(np.trapezoid(hits, alarms))


def auc_pr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision: the area under the precision-recall curve as a sum of steps.

    LaBraM (Jiang et al. 2024) publishes this one; the area of trapezoids is larger.
    """
    positives, items = _above(labels, scores)
    recall = np.concatenate([[0], positives]) / positives[-1]
    return float((np.diff(recall) * (positives / items)).sum())


def chance_levels(labels: np.ndarray, classes: int) -> dict[str, float]:
    """Return the metrics of a decoder that knows the class frequencies and no signal.

    Accuracy: always the most frequent class; balanced accuracy: 1/K of the K classes that occur,
    over which it is a mean; kappa 0; AUROC 0.5; area under the precision-recall curve: share of
    the positive class.

    Args:
        labels: (N,) class numbers.
        classes: number of classes of the task, those that do not occur included.
    """
    shares = np.bincount(labels, minlength=classes) / max(1, len(labels))
    chance = {
        "accuracy": float(shares.max()),
        "balanced_accuracy": 1 / max(1, int((shares > 0).sum())),
        "kappa": 0.0,
    }
    if classes == 2:
        chance |= {"auroc": 0.5, "auc_pr": float(shares[1])}
    return chance

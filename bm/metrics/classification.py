"""Metrics of classification over a whole split, with their chance levels."""

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
    from sklearn import metrics as reference  # half a second, which a run's first step waits for

    decided = probs.argmax(1)
    metrics = {
        "accuracy": float(reference.accuracy_score(labels, decided)),
        "balanced_accuracy": balanced_accuracy(labels, decided),
        "kappa": cohen_kappa(labels, decided),
        "f1_weighted": float(
            reference.f1_score(labels, decided, average="weighted", zero_division=0)
        ),
    }
    # With one class in the labels the areas are not defined: left out, never a 0 or a 1.
    if probs.shape[1] == 2 and len(np.unique(labels)) == 2:
        metrics["auroc"] = float(reference.roc_auc_score(labels, probs[:, 1]))
        metrics["auc_pr"] = auc_pr(labels, probs[:, 1])
    return metrics


def balanced_accuracy(labels: np.ndarray, decided: np.ndarray) -> float:
    """Return the mean over the classes that occur of the share of their items decided right."""
    shares = [(decided[labels == k] == k).mean() for k in np.unique(labels)]
    return float(np.mean(shares))


def cohen_kappa(labels: np.ndarray, decided: np.ndarray) -> float:
    """Return the agreement beyond chance; 0 when both name one and the same class only.

    Scikit-learn divides 0 by 0 there.
    """
    from sklearn.metrics import cohen_kappa_score

    if len(np.unique(np.concatenate([labels, decided]))) < 2:
        return 0.0
    return float(cohen_kappa_score(labels, decided))


def auc_pr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision: the area under the precision-recall curve as a sum of steps.

    LaBraM (Jiang et al. 2024) publishes this one; the area of trapezoids is larger.
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores))


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

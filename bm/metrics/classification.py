"""Metrics of classification over a whole split, with their chance levels and intervals."""

from __future__ import annotations

import math

import numpy as np
from sklearn import metrics as reference

Z95 = 1.959963984540054  # two-sided 95 % of the standard normal


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
    if len(np.unique(np.concatenate([labels, decided]))) < 2:
        return 0.0
    return float(reference.cohen_kappa_score(labels, decided))


def auc_pr(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision: the area under the precision-recall curve as a sum of steps.

    LaBraM (Jiang et al. 2024) publishes this one; the area of trapezoids is larger.
    """
    return float(reference.average_precision_score(labels, scores))


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


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of n items; (0, 1) of none.

    Source: Wilson 1927. Unlike the normal interval it stays within 0 and 1 and has a width where
    all or none were right.
    """
    if n == 0:
        return 0.0, 1.0
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n * n)) / (1 + Z95**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def balanced_interval(
    labels: np.ndarray, decided: np.ndarray, draws: int = 20_000
) -> tuple[float, float]:
    """Return a 95 % interval of the balanced accuracy over items drawn independently.

    The share decided right of each class that occurs is drawn from its Jeffreys posterior,
    Beta(right + 1/2, wrong + 1/2); the quantiles are those of the mean over classes.
    """
    generator = np.random.default_rng(0)  # the same interval whenever a table is made again
    shares = np.zeros(draws)
    classes = np.unique(labels)
    for k in classes:
        right = int((decided[labels == k] == k).sum())
        wrong = int((labels == k).sum()) - right
        shares += generator.beta(right + 0.5, wrong + 0.5, draws) / len(classes)
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)

"""Metrics of classes against scikit-learn, SciPy and values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from bm.metrics.classification import (
    balanced_accuracy,
    chance_levels,
    classification_metrics,
    cohen_kappa,
    probabilities,
)


def decided(classes: int, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Class probabilities that are right more often than not."""
    noise = np.random.default_rng(seed).normal(size=(len(labels), classes))
    return probabilities(noise + 1.5 * np.eye(classes)[labels])


def test_probabilities_are_a_softmax_that_does_not_overflow() -> None:
    probs = probabilities(np.array([[0.0, np.log(3.0)], [1000.0, 0.0]]))
    np.testing.assert_allclose(probs, [[0.25, 0.75], [1.0, 0.0]], atol=1e-12)


def test_every_metric_of_a_small_split_by_hand() -> None:
    # Decisions 0 1 1 | 1 0: recalls 1/3 and 1/2, agreement 2/5, by chance (3 * 2 + 2 * 3) / 25.
    probs = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.8, 0.2]])
    labels = np.array([0, 0, 0, 1, 1])
    metrics = classification_metrics(probs, labels)
    assert metrics["accuracy"] == pytest.approx(2 / 5)
    assert metrics["balanced_accuracy"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert metrics["kappa"] == pytest.approx((2 / 5 - 12 / 25) / (1 - 12 / 25))
    # f1 of 0: 2 * 1 / (2 + 3); of 1: 2 * 1 / (3 + 2); both 0.4
    assert metrics["f1_weighted"] == pytest.approx(0.4)
    # Pairs (0, 1) in the right order: 0.7 over 0.1 and 0.6; 0.2 over 0.1. Three of six.
    assert metrics["auroc"] == pytest.approx(3 / 6)
    # Right ones at ranks 2 (0.7) and 4 (0.2): precision 1/2 and 2/4.
    assert metrics["auc_pr"] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_scores_that_tie_are_no_order() -> None:
    labels = np.array([0, 1, 0, 1])
    metrics = classification_metrics(np.full((4, 2), 0.5), labels)
    assert metrics["auroc"] == 0.5 and metrics["auc_pr"] == 0.5
    assert metrics["balanced_accuracy"] == 0.5 and metrics["kappa"] == 0.0


def test_kappa_of_one_class_is_a_number() -> None:
    metrics = classification_metrics(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    assert metrics["kappa"] == 0
    assert metrics["accuracy"] == metrics["balanced_accuracy"] == 1
    assert "auroc" not in metrics and "auc_pr" not in metrics  # undefined, not 0
    assert cohen_kappa(np.array([0, 0]), np.array([1, 1])) == 0


@pytest.mark.parametrize("classes", [2, 5])
def test_metrics_are_those_of_scikit_learn(classes: int) -> None:
    labels = np.random.default_rng(1).integers(0, classes, 300)
    probs = decided(classes, labels)
    metrics, guesses = classification_metrics(probs, labels), probs.argmax(1)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(labels, guesses),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, guesses),
        "kappa": sklearn_metrics.cohen_kappa_score(labels, guesses),
        "f1_weighted": sklearn_metrics.f1_score(labels, guesses, average="weighted"),
    }
    if classes == 2:
        expected["auroc"] = sklearn_metrics.roc_auc_score(labels, probs[:, 1])
        expected["auc_pr"] = sklearn_metrics.average_precision_score(labels, probs[:, 1])
    assert metrics == pytest.approx(expected)


def test_a_class_that_does_not_occur_is_in_no_mean() -> None:
    """Of four classes two occur: decisions for the other two are wrong, and no recall is 0 / 0."""
    labels = np.array([0, 0, 0, 0, 2, 2])
    guesses = np.array([0, 0, 0, 1, 2, 3])
    assert balanced_accuracy(labels, guesses) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_chance_counts_the_classes_that_occur() -> None:
    """Symptom: a chance of 1/4 beside a balanced accuracy over the three classes of the split."""
    labels = np.array([0, 0, 0, 1, 1, 3])
    chance = chance_levels(labels, 4)
    assert chance == {"accuracy": 0.5, "balanced_accuracy": pytest.approx(1 / 3), "kappa": 0.0}
    rng = np.random.default_rng(0)
    reached = [balanced_accuracy(labels, rng.choice([0, 1, 3], 6)) for _ in range(4000)]
    assert np.mean(reached) == pytest.approx(chance["balanced_accuracy"], abs=0.01)
    constant = balanced_accuracy(labels, np.zeros(6, int))
    assert constant == pytest.approx(chance["balanced_accuracy"])


def test_chance_of_one_class_and_of_none() -> None:
    assert chance_levels(np.array([1, 1]), 2) == {
        "accuracy": 1.0, "balanced_accuracy": 1.0, "kappa": 0.0, "auroc": 0.5, "auc_pr": 1.0
    }  # fmt: skip
    empty = chance_levels(np.array([], int), 3)
    assert empty == {"accuracy": 0.0, "balanced_accuracy": 1.0, "kappa": 0.0}


def test_a_decoder_without_signal_reaches_the_chance_levels() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random(20_000) < 0.3).astype(int)
    noise = rng.random(20_000)
    metrics = classification_metrics(np.stack([1 - noise, noise], 1), labels)
    chance = chance_levels(labels, 2)
    for name in ("balanced_accuracy", "kappa", "auroc", "auc_pr"):
        assert metrics[name] == pytest.approx(chance[name], abs=0.02), name
    assert chance["accuracy"] == pytest.approx(0.7, abs=0.01)


def test_metrics_of_a_split_are_not_means_over_its_parts() -> None:
    """Why decisions are gathered from all processes before anything is computed."""
    labels = np.sort(np.random.default_rng(0).integers(0, 3, 60))
    probs = decided(3, labels)
    whole = classification_metrics(probs, labels)
    halves = [classification_metrics(probs[i::2], labels[i::2]) for i in range(2)]
    shards = [classification_metrics(probs[s], labels[s]) for s in np.split(np.arange(60), 2)]
    assert whole["accuracy"] == pytest.approx(np.mean([h["accuracy"] for h in halves]))
    assert whole["kappa"] != pytest.approx(np.mean([s["kappa"] for s in shards]), abs=1e-3)

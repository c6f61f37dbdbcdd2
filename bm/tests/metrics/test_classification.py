from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.classification import (
    balanced_accuracy,
    balanced_interval,
    classification_metrics,
    probabilities,
)


def test_kappa_of_one_class_is_a_number():
    found = classification_metrics(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    assert found["kappa"] == 0
    assert found["accuracy"] == found["balanced_accuracy"] == 1
    assert "auroc" not in found and "auc_pr" not in found  # undefined, not 0


def test_metrics_of_a_split_are_not_means_over_its_parts():
    """Why decisions are gathered from all processes before anything is computed."""
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(0, 3, 60))
    probs = probabilities(rng.normal(size=(60, 3)) + 1.5 * np.eye(3)[labels])
    whole = classification_metrics(probs, labels)
    halves = [classification_metrics(probs[i::2], labels[i::2]) for i in range(2)]
    shards = [classification_metrics(probs[s], labels[s]) for s in np.split(np.arange(60), 2)]
    assert whole["accuracy"] == pytest.approx(np.mean([h["accuracy"] for h in halves]))
    assert whole["kappa"] != pytest.approx(np.mean([s["kappa"] for s in shards]), abs=1e-3)


def test_interval_of_the_balanced_accuracy_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        labels = np.repeat([0, 1, 2], (60, 30, 15))
        right = rng.random(len(labels)) < np.array([0.9, 0.6, 0.4])[labels]
        decided = np.where(right, labels, (labels + 1) % 3)
        low, high = balanced_interval(labels, decided, 2000)
        assert 0 < low < balanced_accuracy(labels, decided) < high < 1
        covered.append(low < (0.9 + 0.6 + 0.4) / 3 < high)
    assert 0.9 <= np.mean(covered) <= 0.99
    low, high = balanced_interval(np.repeat([0, 1], 5), np.repeat([0, 1], 5))
    assert 0.6 < low < high < 1  # ten right ones prove no perfection

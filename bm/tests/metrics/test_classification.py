from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.classification import classification_metrics, probabilities


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

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from bm.metrics.features import FeatureMetrics
from bm.nn.feature_parts import feature_parts


@dataclass(frozen=True)
class Feature:
    name: str
    dimension: int
    cardinality: int = 0


PARTS = feature_parts((Feature("phoneme", 1, 3), Feature("mel", 2), Feature("length", 1)))


def test_a_categorical_feature_does_not_shift_the_others() -> None:
    """Symptom: l2_<feature> compares the wrong channels once there are classes."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((20, 3, 5))
    labels = generator.integers(3, size=(20, 1, 5))
    scores = np.eye(3)[labels[:, 0]].transpose(0, 2, 1)
    target = np.concatenate([labels, values], 1)
    estimate = np.concatenate([scores, values], 1)
    estimate[:, 5] += 0.5
    metrics = FeatureMetrics(PARTS)
    metrics.update(0, estimate, target, np.ones((20, 1, 5)))
    results = metrics.results()
    assert results["acc_phoneme"] == 1.0
    assert results["l2_mel"] == pytest.approx(0.0)
    assert results["corr_mel"] == pytest.approx(1.0)
    assert results["l2_length"] == pytest.approx(0.5)
    assert list(results) == ["acc_phoneme", "l2_mel", "corr_mel", "l2_length", "corr_length"]


def test_every_recording_counts_alike() -> None:
    part = feature_parts((Feature("mel", 1),))
    metrics = FeatureMetrics(part)
    for recording, (count, error) in enumerate(((30, 1.0), (3, 3.0))):
        target = np.random.default_rng(recording).standard_normal((count, 1, 4))
        metrics.update(recording, target + error, target, np.ones((count, 1, 4)))
    assert metrics.results()["l2_mel"] == pytest.approx(((1 + 9) / 2) ** 0.5)

"""The classifier of real trials: it learns, and generated trials that disobey show as such."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from bm.metrics.trial_classifier import (
    TrialClassifier,
    adherence,
    band_passed,
    by_class,
    shrunk_covariance,
)

RATE = 100.0


def trials(count: int, seed: int, strength: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a 10 Hz rhythm in the channel of the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    waves = rng.normal(0, 1, (count, 4, 200))
    rhythm = np.sin(2 * np.pi * (10 * np.arange(200) / RATE + rng.random((count, 1))))
    waves[np.arange(count), labels] += strength * rhythm
    return waves, labels


def test_it_learns_from_real_trials_and_tells_obedience_from_noise() -> None:
    classifier = TrialClassifier(*trials(150, 0), RATE)
    waves, labels = trials(90, 1)
    predicted = classifier.predict(waves)
    assert (predicted == labels).mean() > 0.9
    assert classifier.probabilities(waves).sum(1) == pytest.approx(np.ones(90))
    obeys = adherence((labels, predicted), (labels, predicted), 0)
    assert obeys["class_adherence"] == 1 and obeys["class_p"] < 0.01
    assert abs(obeys["class_accuracy_shuffled"] - 1 / 3) < 0.05
    # the same trials, conditions of others: a model that does not listen
    asked = np.random.default_rng(2).permutation(labels)
    ignores = adherence((labels, predicted), (asked, predicted), 0)
    assert ignores["class_adherence"] < 0.55 and ignores["class_p"] > 0.01
    assert set(by_class(labels, predicted, ("a", "b", "c", "d"))) == {"a", "b", "c"}


def test_the_shrinkage_is_that_of_ledoit_and_wolf() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (30, 12)) @ np.diag(np.arange(1, 13))
    rows -= rows.mean(0)
    expected, _ = ledoit_wolf(rows, assume_centered=True)
    np.testing.assert_allclose(shrunk_covariance(rows), expected, rtol=1e-8)


def test_a_band_is_kept_alone() -> None:
    time = np.arange(200) / RATE
    waves = np.stack([np.sin(2 * np.pi * f * time) for f in (5, 10, 20)])[None]
    sd = band_passed(waves, RATE, 8.0, 13.0).std(-1)[0]
    assert sd[1] == pytest.approx(waves[0, 1].std()) and sd[[0, 2]] == pytest.approx([0, 0])

"""P values by labels in random order."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.label_permutation import label_permutation_p


def decided(labels: np.ndarray, right: float, classes: int, seed: int) -> np.ndarray:
    """Probabilities (N, K) of a decoder that is right in a share of the windows, else at random."""
    rng = np.random.default_rng(seed)
    guesses = np.where(
        rng.random(len(labels)) < right, labels, rng.integers(0, classes, len(labels))
    )
    return np.eye(classes)[guesses] * 0.5 + rng.random((len(labels), classes)) * 0.1


def test_a_decoder_that_knows_is_above_every_permutation() -> None:
    labels = np.repeat([0, 1], 50)
    p = label_permutation_p(decided(labels, 0.6, 2, 0), labels, 199)
    assert p == {"accuracy": 1 / 200, "balanced_accuracy": 1 / 200, "auroc": 1 / 200}


@pytest.mark.parametrize("classes", [2, 5])
def test_p_of_a_guess_is_uniform(classes: int) -> None:
    labels = np.random.default_rng(0).integers(0, classes, 150)
    drawn = [label_permutation_p(decided(labels, 0.0, classes, s), labels, 99) for s in range(100)]
    assert set(drawn[0]) == {"accuracy", "balanced_accuracy", *(["auroc"] if classes == 2 else [])}
    for name in drawn[0]:
        values = np.array([p[name] for p in drawn])
        assert 0.35 < values.mean() < 0.68 and (values <= 0.05).mean() < 0.13


def test_a_constant_decision_tells_nothing() -> None:
    labels = np.array([0] * 30 + [1] * 10)
    p = label_permutation_p(np.tile([0.9, 0.1], (40, 1)), labels, 50)
    assert p == {"accuracy": 1.0, "balanced_accuracy": 1.0, "auroc": 1.0}


def test_a_class_that_does_not_occur_is_left_out() -> None:
    labels = np.array([0, 2] * 20)
    p = label_permutation_p(np.eye(3)[labels], labels, 50)
    assert p == {"accuracy": 1 / 51, "balanced_accuracy": 1 / 51}

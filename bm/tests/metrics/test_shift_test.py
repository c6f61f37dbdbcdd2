"""The permutation p of labels that are shifted in time within their recordings."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.shift_test import DRAWS, shift_p


def drifting(seed: int, count: int = 600) -> np.ndarray:
    """Classes that change slowly, as the loudness of a film does."""
    noise = np.random.default_rng(seed).normal(size=count + 100)
    return (np.convolve(noise, np.ones(101), "valid") > 0).astype(int)


def test_decisions_that_know_the_labels_have_a_small_p() -> None:
    """The true order is one of 10,000, and may be drawn again."""
    rng, recordings = np.random.default_rng(0), np.repeat([0, 1], 100)
    labels = rng.integers(0, 4, 200)
    decided = np.where(rng.random(200) < 0.5, labels, rng.integers(0, 4, 200))
    times = np.tile(np.arange(100.0), 2)
    p = shift_p(labels, decided, recordings, times)
    assert p is not None and 1 / (1 + DRAWS) <= p <= 3 / (1 + DRAWS)
    # the order of the rows of a table says nothing
    mixed = rng.permutation(200)
    assert shift_p(labels[mixed], decided[mixed], recordings[mixed], times[mixed]) == p


def test_p_of_decisions_by_chance_is_even() -> None:
    rng, recordings, times = np.random.default_rng(1), np.zeros(200, int), np.arange(200.0)
    p = [shift_p(rng.integers(0, 2, 200), rng.integers(0, 2, 200), recordings, times)
         for _ in range(60)]  # fmt: skip
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.15)
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.2)


def test_slow_decisions_are_not_taken_for_knowledge() -> None:
    """Labels in random order call most pairs of unrelated drifts significant."""
    recordings, times, p, naive = np.zeros(600, int), np.arange(600.0), [], []
    for seed in range(30):
        labels, decided = drifting(2 * seed), drifting(2 * seed + 1)
        p.append(shift_p(labels, decided, recordings, times))
        rng, reached = np.random.default_rng(seed), (labels == decided).mean()
        drawn = [(rng.permutation(labels) == decided).mean() >= reached for _ in range(99)]
        naive.append((1 + sum(drawn)) / 100)
    assert np.mean(np.array(naive) <= 0.05) > 0.25
    assert np.mean(np.array(p) <= 0.05) < 0.17


def test_nothing_is_claimed_where_labels_cannot_change_places() -> None:
    labels, times = np.repeat([0, 1, 0, 1], 50), np.tile(np.arange(50.0), 4)
    assert shift_p(labels, labels, np.repeat(np.arange(4), 50), times) is None
    few = np.arange(10) % 2
    assert shift_p(few, few, np.zeros(10, int), np.arange(10.0)) is None

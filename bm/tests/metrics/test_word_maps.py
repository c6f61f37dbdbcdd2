"""Metrics of word maps on maps whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from bm.metrics.word_maps import follows, length_agreement, map_distances, match_scores

RNG = np.random.default_rng(0)


def test_equal_sets_are_at_no_distance_and_noise_is_far() -> None:
    words = RNG.gamma(4, 1, (600, 24)) * np.linspace(1, 3, 24)
    same = map_distances(words[:300], words[300:], 8)
    assert same["value_wasserstein"] < 0.15 and same["mean_correlation"] > 0.98
    far = map_distances(words[:300], RNG.normal(0, 1, (300, 24)), 8)
    assert far["value_wasserstein"] > 5 * same["value_wasserstein"]
    assert far["frechet_distance"] > 10 * same["frechet_distance"]


def test_lengths() -> None:
    assert length_agreement(np.array([3, 5, 9]), np.array([4, 5, 7])) == {
        "length_error_words": 1.0,
        "length_spearman": pytest.approx(1.0),
        "length_p": pytest.approx(1 / 6, abs=0.03),  # one of six orders is theirs
    }
    same = length_agreement(np.array([5, 5, 5]), np.array([4, 5, 7]))
    assert same["length_spearman"] == 0.0 and same["length_p"] == 1.0
    real = RNG.integers(4, 12, 80)
    near = real + RNG.integers(-1, 2, 80)
    followed, ignored = length_agreement(near, real), length_agreement(RNG.permutation(near), real)
    assert followed["length_spearman"] == pytest.approx(spearmanr(near, real).statistic)
    assert followed["length_p"] < 0.001 and ignored["length_p"] > 0.01


def scores(share: float, count: int = 40) -> np.ndarray:
    real, noise = RNG.normal(0, 1, (2, count, 6, 16))
    there = np.arange(6)[None] < np.where(np.arange(count) % 2, 4, 6)[:, None]
    return match_scores(real, share * real + noise, there)


def test_maps_that_follow_their_sentence_are_told_from_those_that_do_not() -> None:
    groups = np.arange(40) % 2
    obeys, ignores = follows(scores(0.6), groups), follows(scores(0.0), groups)
    assert obeys["matched_rank"] > 0.9 and obeys["matched_p"] < 0.001
    assert obeys["matched_score"] > obeys["shuffled_score"] + 0.3
    assert 0.3 < ignores["matched_rank"] < 0.7 and ignores["matched_p"] > 0.01
    assert follows(scores(0.6), np.arange(40)) == {}  # nothing to compare with
    table = np.where(np.eye(4, dtype=bool), 1.0, 0.0)
    table[0, 1] = np.nan  # the same sentence, read by another person
    table[0, 2] = 2.0
    assert follows(table, np.zeros(4))["matched_rank"] == (0.5 + 1 + 1 + 1) / 4

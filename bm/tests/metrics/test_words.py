from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.online import OnlineAccuracy, OnlineCorrelation, OnlineSquaredError
from bm.metrics.words import word_error_rates, words_at


def test_the_word_is_read_beside_the_onset_when_it_is_missing() -> None:
    track = np.zeros((3, 20), int)
    track[0, 8], track[1, 7], track[2, 10] = 4, 5, 6
    assert words_at(track, 6).tolist() == [4, 5, 6]
    with pytest.raises(ValueError, match="window 2"):
        words_at(np.concatenate([track[:2], 0 * track[:1]]), 6)


def test_perfect_estimates_have_no_error_and_noise_has_the_chance_error() -> None:
    generator = np.random.default_rng(0)
    targets = generator.standard_normal((200, 3, 10))
    words = np.arange(200)
    assert word_error_rates(targets, targets, words, 1) == (0.0, 0.0)
    noise = generator.standard_normal(targets.shape)
    by_candidate, by_word = word_error_rates(noise, targets, words, 20)
    assert by_candidate == pytest.approx(0.9, abs=0.06)
    assert by_word < by_candidate  # the own target stands twice in the list, its chances add up
    some = word_error_rates(noise, targets, words, 10, negatives=np.arange(40))
    assert some[0] == pytest.approx(0.75, abs=0.08)


def test_online_metrics_equal_those_of_the_whole() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.standard_normal((2, 30, 2, 4))
    y += x
    mask = np.ones((30, 1, 4), bool)
    correlation, error = OnlineCorrelation(), OnlineSquaredError()
    for part in (slice(0, 7), slice(7, 30)):
        correlation.update(x[part], y[part], mask[part])
        error.update(x[part], y[part], mask[part])
    expected = [[np.corrcoef(x[:, c, t], y[:, c, t])[0, 1] for t in range(4)] for c in range(2)]
    np.testing.assert_allclose(correlation.result(), expected, atol=1e-9)
    np.testing.assert_allclose(error.result(), np.square(x - y).mean(0))
    assert error.reduced() == pytest.approx(np.sqrt(np.square(x - y).mean()))


def test_accuracy_counts_masked_items_only() -> None:
    scores = np.array([[[1.0], [0.0]], [[0.0], [1.0]], [[0.0], [1.0]]])
    labels = np.array([[[0]], [[1]], [[0]]])
    accuracy = OnlineAccuracy()
    accuracy.update(scores, labels, np.array([[[1]], [[1]], [[0]]]))
    assert accuracy.reduced() == 1.0
    with pytest.raises(ValueError, match="no item"):
        OnlineCorrelation().result()

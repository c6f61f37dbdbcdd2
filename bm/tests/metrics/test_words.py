from __future__ import annotations

import numpy as np
import pytest
import torch

from bm.metrics.words import WordErrors, word_retrieval_errors
from bm.tests.reference.retrieval import words_at


def test_the_word_is_read_beside_the_onset_when_it_is_missing() -> None:
    track = np.zeros((3, 20), int)
    track[0, 8], track[1, 7], track[2, 10] = 4, 5, 6
    assert words_at(track, 6).tolist() == [4, 5, 6]
    with pytest.raises(ValueError, match="window 2"):
        words_at(np.concatenate([track[:2], 0 * track[:1]]), 6)


def test_hashes_stay_integers() -> None:
    """Symptom: word ids go through floats, and different words become one."""
    track = np.full((2, 20), 2**62, np.int64)
    track[1] += 1
    assert words_at(track, 6).tolist() == [2**62, 2**62 + 1]
    with pytest.raises(TypeError, match="float32"):
        words_at(track.astype(np.float32), 6)


def _windows(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(count, 3, 10, generator=generator),
        torch.randn(count, 3, 10, generator=generator),
    )


def test_perfect_estimates_have_no_error_and_noise_has_the_chance_error() -> None:
    noise, targets = _windows(400)
    words = torch.arange(400)
    assert word_retrieval_errors(100 * targets, targets, words, 1) == WordErrors(0.0, 0.0)
    errors = word_retrieval_errors(noise, targets, words, 40)
    assert errors.by_candidate == pytest.approx(0.9, abs=0.05)
    assert errors.by_word == pytest.approx(0.9, abs=0.05)
    some = word_retrieval_errors(noise, targets, words, 10, negatives=torch.arange(40))
    assert some.by_candidate == pytest.approx(0.75, abs=0.08)


def test_no_candidate_is_lost() -> None:
    """Symptom: the own target takes the place of the last candidate."""
    targets, words = torch.eye(6)[:, None], torch.arange(6)
    estimates = targets.clone()
    estimates[0, 0, 5] = 2.0  # most like the last candidate
    assert word_retrieval_errors(estimates, targets, words, 1).by_candidate == 1 / 6
    rows = torch.tensor([1, 5])
    assert word_retrieval_errors(estimates, targets, words, 1, rows).by_candidate == 1 / 6
    published = word_retrieval_errors(estimates, targets, words, 1, rows, as_published=True)
    assert published == WordErrors(0.0, 0.0)


def test_the_last_window_is_scored_with_its_own_target() -> None:
    """Symptom: on the CPU the last window is scored as the one before it."""
    targets, words = torch.eye(6)[:, None], torch.arange(6)
    estimates = targets.clone()
    estimates[5] = targets[4]
    assert word_retrieval_errors(estimates, targets, words, 1).by_candidate == 1 / 6
    assert word_retrieval_errors(
        estimates, targets, words, 1, as_published=True
    ) == WordErrors(0.0, 0.0)  # fmt: skip


@pytest.mark.parametrize("rows", [None, torch.tensor([0, 1, 5])])
def test_the_own_target_is_a_candidate_once(rows: torch.Tensor | None) -> None:
    noise, targets = _windows(9)
    words = torch.tensor([1, 2, 3, 1, 2, 1, 4, 3, 1])
    missed, missed_words = 0, 0
    for window in range(9):
        chosen = sorted({window, *(range(9) if rows is None else rows.tolist())})
        flat = targets[chosen].flatten(1)
        probs = ((flat / flat.norm(dim=1, keepdim=True)) @ noise[window].flatten()).softmax(0)
        summed = {int(w): probs[words[chosen] == w].sum() for w in words[chosen]}
        missed += words[chosen][probs.argmax()] != words[window]
        missed_words += max(summed, key=lambda w: summed[w]) != words[window]
    errors = word_retrieval_errors(noise, targets, words, 1, rows)
    assert (errors.by_candidate, errors.by_word) == (missed / 9, missed_words / 9)


def test_equal_scores_and_few_words_are_no_success() -> None:
    """Symptom: a network that always says the same finds every word."""
    _, targets = _windows(8)
    words = torch.arange(8)
    same = torch.zeros_like(targets)
    assert word_retrieval_errors(same, targets, words, 3) == WordErrors(1.0, 1.0)
    assert word_retrieval_errors(targets / 0, targets, words, 3) == WordErrors(1.0, 1.0)
    assert word_retrieval_errors(targets, targets, words % 2, 10).by_word == 0.0

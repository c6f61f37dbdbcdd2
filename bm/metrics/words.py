"""Word-level retrieval errors of speech decoding (`wer`, `wer_vocab` of Défossez et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .retrieval import BLOCK, EPSILON, Ranker, rank_of_right

#: Samples tried around a word onset for its hash: the onset plus two, then its neighbours.
OFFSETS = (0, -1, 1, -2, 2)


@dataclass(frozen=True)
class WordErrors:
    """Errors of word retrieval, from 0 to 1; not those of a transcription.

    Attributes:
        by_candidate: share of windows none of whose best candidates has the right word.
        by_word: likewise of the best words, the probabilities of their candidates summed.
    """

    by_candidate: float
    by_word: float


def _target_scores(estimates: Tensor, targets: Tensor) -> Tensor:
    """Return the scores (N,) of estimates (N, ...) with the targets of the same windows."""
    flat = targets.flatten(1)
    return (estimates.flatten(1) * flat).sum(1) / (EPSILON + flat.norm(dim=1))


def _misses(scores: Tensor, vocabulary: Tensor, words: Tensor, top: int) -> tuple[int, int]:
    """Count windows whose word is not among the best `top`: by candidate, and by word.

    Args:
        scores: (N, V + 1), the last candidate the target of the window.
        vocabulary: (V,) word of the others, as a number from 0.
        words: (N,) word of each window, likewise.
    """
    candidates = torch.cat([vocabulary.expand(len(words), -1), words[:, None]], 1)
    missed = rank_of_right(scores, candidates == words[:, None]) >= top
    # Probabilities, not scores, add up over the candidates of one word.
    probs = scores.softmax(1)
    by_word = probs.new_zeros(len(words), int(candidates.max()) + 1)
    by_word.index_add_(1, vocabulary, probs[:, :-1])
    by_word.scatter_add_(1, words[:, None], probs[:, -1:])
    is_right = torch.arange(by_word.shape[1], device=words.device) == words[:, None]
    return int(missed.sum()), int((rank_of_right(by_word, is_right) >= top).sum())


def word_retrieval_errors(
    estimates: Tensor,
    targets: Tensor,
    words: Tensor,
    top: int,
    negatives: Tensor | None = None,
    as_published: bool = False,
) -> WordErrors:
    """Return the share of windows whose word is not among the best `top`.

    Candidates are some of the targets, and the target of the window. As published the latter
    takes the place of the last candidate, which is lost; and without `negatives` this overwrites
    the targets themselves, so that the last window is scored with the one before it. A candidate as
    good as the right one counts as better.

    Args:
        estimates: (N, F, T).
        targets: (N, F, T).
        words: (N,) int64 hash of each target's word.
        top: how many of the best count.
        negatives: (V,) rows of the targets that are candidates; None = all.
        as_published: "wer" and "wer_vocab" of the original.
    """
    # Numbers from 0 instead of hashes: columns of the sums over words.
    number = torch.unique(words.to(targets.device), return_inverse=True)[1]
    every = torch.arange(len(targets), device=targets.device)
    source, rows, candidates = every, every, targets
    if negatives is not None:
        rows = negatives.to(every)
        candidates = targets[rows]
    if as_published:
        rows, candidates = rows[:-1], candidates[:-1]
        if negatives is None:
            source = torch.cat([every[:-1], every[-2:-1]])
    ranker, missed, missed_words = Ranker(candidates, number[rows]), 0, 0
    for some in every.split(BLOCK):
        last = _target_scores(estimates[some], targets[source[some]])
        if not as_published:  # where it is a candidate already, it does not come again
            last = last.masked_fill(torch.isin(some, rows), -torch.inf)
        scores = torch.cat([ranker.scores(estimates[some]), last[:, None]], 1)
        misses = _misses(scores, number[rows], number[source[some]], top)
        missed, missed_words = missed + misses[0], missed_words + misses[1]
    return WordErrors(missed / len(every), missed_words / len(every))

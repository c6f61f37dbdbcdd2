"""Word-level retrieval errors of speech decoding (spec clip 5.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .retrieval import BLOCK, EPSILON, Ranker, own_rank

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


def _own_scores(estimates: Tensor, targets: Tensor) -> Tensor:
    """(N,) scores of estimates (N, ...) with their own targets (N, ...)."""
    flat = targets.flatten(1)
    return (estimates.flatten(1) * flat).sum(1) / (EPSILON + flat.norm(dim=1))


def _misses(scores: Tensor, vocabulary: Tensor, own: Tensor, top: int) -> tuple[int, int]:
    """Windows whose word is not among the best `top`: by candidate, and by word.

    Args:
        scores: (N, V + 1), the last candidate the window's own.
        vocabulary: (V,) word of the others, as a number from 0.
        own: (N,) word of each window, likewise.
    """
    words = torch.cat([vocabulary.expand(len(own), -1), own[:, None]], 1)
    missed = own_rank(scores, words == own[:, None]) >= top
    probs = scores.softmax(1)
    by_word = probs.new_zeros(len(own), int(words.max()) + 1)
    by_word.index_add_(1, vocabulary, probs[:, :-1])
    by_word.scatter_add_(1, own[:, None], probs[:, -1:])
    is_own = torch.arange(by_word.shape[1], device=own.device) == own[:, None]
    return int(missed.sum()), int((own_rank(by_word, is_own) >= top).sum())


def word_retrieval_errors(
    estimates: Tensor,
    targets: Tensor,
    words: Tensor,
    top: int,
    negatives: Tensor | None = None,
    as_published: bool = False,
) -> WordErrors:
    """Share of windows whose word is not among the best `top`.

    Candidates are some of the targets, and the window's own target. As published the own target
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
        own = _own_scores(estimates[some], targets[source[some]])
        if not as_published:  # where it is a candidate already, it does not come again
            own = own.masked_fill(torch.isin(some, rows), -torch.inf)
        scores = torch.cat([ranker.scores(estimates[some]), own[:, None]], 1)
        found = _misses(scores, number[rows], number[source[some]], top)
        missed, missed_words = missed + found[0], missed_words + found[1]
    return WordErrors(missed / len(every), missed_words / len(every))

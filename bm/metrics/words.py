"""Word-level retrieval errors of speech decoding (spec clip 5.1)."""

from __future__ import annotations

import numpy as np

#: Samples tried around a word onset for its hash: the onset plus two, then its neighbours.
OFFSETS = (0, -1, 1, -2, 2)


def words_at(track: np.ndarray, sample: int) -> np.ndarray:
    """Hash of the word that each window is centred on: (N,) int64.

    Args:
        track: (N, T) hash of the word heard at each sample, 0 where there is none.
        sample: onset of the words; two samples later is read, then the neighbours of that.

    Raises:
        ValueError: a window without a word there.
    """
    found = np.zeros(len(track), dtype=np.int64)
    for offset in OFFSETS:
        here = track[:, sample + 2 + offset].astype(np.int64)
        found = np.where(found == 0, here, found)
    if (found == 0).any():
        raise ValueError(f"window {int(np.argmin(found != 0))}: no word at sample {sample}")
    return found


def contrastive_scores(estimates: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(N, V) inner products of estimates (N, F, T) and candidates (V, F, T) of unit norm."""
    flat = candidates.reshape(len(candidates), -1).astype(float)
    scaled = flat / (1e-8 + np.linalg.norm(flat, axis=1, keepdims=True))
    return np.asarray(estimates.reshape(len(estimates), -1).astype(float) @ scaled.T)


def _softmax(scores: np.ndarray) -> np.ndarray:
    shifted = np.exp(scores - scores.max())
    return np.asarray(shifted / shifted.sum())


def word_error_rates(
    estimates: np.ndarray,
    targets: np.ndarray,
    words: np.ndarray,
    top: int,
    negatives: np.ndarray | None = None,
    as_published: bool = False,
) -> tuple[float, float]:
    """Share of windows whose word is not among the best `top`: by candidate, and by word.

    The last candidate of every window is replaced by its own target. For the second rate the
    probabilities of candidates with the same word are summed.

    Args:
        estimates: (N, F, T).
        targets: (N, F, T).
        words: (N,) hash of each target's word.
        top: how many of the best count.
        negatives: rows of the targets that are candidates; None = all.
        as_published: without `negatives` the reference overwrites the targets themselves, so that
            the last window is scored with the target and the word of the one before it.
    """
    rows = np.arange(len(targets)) if negatives is None else np.asarray(negatives)
    shared = as_published and negatives is None
    scores = contrastive_scores(estimates, targets[rows])
    vocabulary, wrong, wrong_word = words[rows].copy(), 0, 0
    for index, row in enumerate(scores):
        source = index - 1 if shared and index == len(estimates) - 1 else index
        row[-1] = contrastive_scores(estimates[index, None], targets[source, None])[0, 0]
        vocabulary[-1] = words[source]
        probs = _softmax(row)
        best = np.argsort(-probs, kind="stable")[:top]
        wrong += words[source] not in vocabulary[best]
        names, inverse = np.unique(vocabulary, return_inverse=True)
        by_word = np.bincount(inverse, probs)
        best_words = names[np.argsort(-by_word, kind="stable")[:top]]
        wrong_word += words[source] not in best_words
    return wrong / len(estimates), wrong_word / len(estimates)

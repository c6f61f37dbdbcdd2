"""Retrieval of brainmagick's training loop: top-k accuracy of a matrix, words from a track."""

from __future__ import annotations

import numpy as np

from bm.metrics.words import OFFSETS


def topk_accuracy(probs: np.ndarray, candidates: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Return the share of queries whose target's label is among those of the k best candidates.

    The product ranks block by block and never holds this matrix (`bm.metrics.retrieval.Ranker`).

    Args:
        probs: (N, V) probability of each candidate.
        candidates: (V,) label of each candidate; a label may occur several times.
        targets: (N,) label that each query should find.
        k: how many candidates count.
    """
    best = np.argpartition(-probs, min(k, probs.shape[1]) - 1, axis=1)[:, :k]
    return float((candidates[best] == targets[:, None]).any(1).mean())


def words_at(track: np.ndarray, sample: int) -> np.ndarray:
    """Return the hash of the word that each window is centred on: (N,) int64.

    The product takes words from the event table (`bm.solvers.speech.candidates`).

    Args:
        track: (N, T) integer hash of the word heard at each sample, 0 where there is none.
        sample: onset of the words; two samples later is read, then the neighbours of that.

    Raises:
        ValueError: a window without a word there.
        TypeError: a track of floats, which cannot hold 64-bit hashes.
    """
    if track.dtype.kind not in "iu":
        raise TypeError(f"hashes of type {track.dtype}: integers are needed")
    hashes = np.zeros(len(track), dtype=np.int64)
    for offset in OFFSETS:
        here = track[:, sample + 2 + offset]
        hashes = np.where(hashes == 0, here, hashes)
    if (hashes == 0).any():
        raise ValueError(f"window {int(np.argmin(hashes != 0))}: no word at sample {sample}")
    return hashes

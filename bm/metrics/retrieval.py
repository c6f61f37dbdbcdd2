"""Retrieval: is the right candidate among the most probable ones?"""

from __future__ import annotations

import numpy as np


def topk_accuracy(probs: np.ndarray, candidates: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Share of queries whose target's label is among the labels of the k best candidates.

    Args:
        probs: (N, V) probability of each candidate.
        candidates: (V,) label of each candidate; a label may occur several times.
        targets: (N,) label that each query should find.
        k: how many candidates count.
    """
    best = np.argpartition(-probs, min(k, probs.shape[1]) - 1, axis=1)[:, :k]
    return float((candidates[best] == targets[:, None]).any(1).mean())

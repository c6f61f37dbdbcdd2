"""Credit of a decision among candidates: a tie shares it."""

from __future__ import annotations

import numpy as np


def tie_credit(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return what each decision earns: 1 for the right one, 1/m when m candidates tie with it.

    At a signal-to-noise ratio of 0 all candidates tie, and the mean is chance exactly.

    Args:
        scores: (n, K) of the candidates.
        labels: (n,) the true ones.

    Returns:
        (n,) from 0 to 1.
    """
    # Scores are sums of thousands of products: equal ones differ in their last bits.
    best = np.isclose(scores, scores.max(1, keepdims=True), rtol=1e-12, atol=1e-9)
    return best[np.arange(len(labels)), labels] / best.sum(1)

"""Is a decoder above chance? The same decisions against labels in random order."""

from __future__ import annotations

import numpy as np


def label_permutation_p(
    probs: np.ndarray, labels: np.ndarray, permutations: int, seed: int = 0
) -> dict[str, float]:
    """Return one-sided p values of metrics among those with labels in random order.

    Windows are taken as independent: where many are of one recording, p is too small.

    Args:
        probs: (N, K) class probabilities.
        labels: (N,) class numbers.
        permutations: random orders; the true one counts as one more, so that p is never 0
            (Phipson and Smyth 2010).
        seed: of the draws.

    Returns:
        accuracy, balanced_accuracy; of two classes that both occur auroc too.
    """
    from scipy.stats import rankdata  # half a second that every run would wait for

    rng, counts = np.random.default_rng(seed), np.bincount(labels, minlength=probs.shape[1])
    decided, here = probs.argmax(1), counts > 0
    ranks = rankdata(probs[:, 1]) if probs.shape[1] == 2 and here.all() else None

    def scores(order: np.ndarray) -> list[float]:
        right = np.bincount(order[decided == order], minlength=len(counts))
        values = [right.sum() / len(order), (right[here] / counts[here]).mean()]
        if ranks is not None:  # rises with the area: the sum of ranks of Mann and Whitney
            values.append(ranks[order == 1].sum())
        return values

    drawn = np.array([scores(rng.permutation(labels)) for _ in range(permutations)])
    reached = (drawn >= np.array(scores(labels)) - 1e-9).sum(0)  # equal counts, rounded otherwise
    names = ("accuracy", "balanced_accuracy", "auroc")
    return {n: float((1 + r) / (1 + permutations)) for n, r in zip(names, reached, strict=False)}

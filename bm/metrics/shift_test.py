"""Whether decisions know the labels, or only change as slowly as they do."""

from __future__ import annotations

import numpy as np

DRAWS = 999
LEAST_ORDERS = 20  # with fewer orders of the labels no p can be below 0.05


def shift_p(
    labels: np.ndarray, decided: np.ndarray, recordings: np.ndarray, times: np.ndarray
) -> float | None:
    """Return the permutation p of the balanced accuracy, one-sided, labels shifted in time.

    Within each recording the labels go round by a number of places of its own. What is said in a
    film changes slowly, and so does the brain: labels in random order would lose that, and a
    decoder of slow drifts would look as if it knew something. The true order counts as one draw:
    p is never 0 (Phipson and Smyth, 2010).

    Args:
        labels: (N,) class numbers.
        decided: (N,) decisions.
        recordings: (N,) the recording of each item.
        times: (N,) where it begins in its recording.

    Returns:
        p, or None where labels cannot change places: one label in each recording, or fewer orders
        than `LEAST_ORDERS`.
    """
    order = np.lexsort((times, recordings))
    labels, decided, recordings = labels[order], decided[order], recordings[order]
    _, first, part, lengths = np.unique(
        recordings, return_index=True, return_inverse=True, return_counts=True
    )
    mixed = np.array([len(set(some.tolist())) > 1 for some in np.split(labels, first[1:])])
    if not mixed.any() or np.log(lengths[mixed]).sum() < np.log(LEAST_ORDERS):
        return None
    places, counts = np.arange(len(labels)) - first[part], np.bincount(labels)
    weights = 1.0 / (counts[labels] * (counts > 0).sum())  # their sum over right ones is the metric

    def accuracy(shifts: np.ndarray) -> float:
        index = first[part] + (places + shifts[part]) % lengths[part]
        return float(weights[index] @ (labels[index] == decided))

    generator = np.random.default_rng(0)
    # the smallest difference between two accuracies is far larger than sums in another order
    reached = accuracy(np.zeros_like(lengths)) - 1e-9
    drawn = sum(accuracy(generator.integers(lengths)) >= reached for _ in range(DRAWS))
    return (1 + drawn) / (1 + DRAWS)

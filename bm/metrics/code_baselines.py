"""What a codebook must beat: scalar codes of the principal components of patches."""

from __future__ import annotations

import numpy as np

ROUNDS = 20  # of Lloyd's algorithm in one dimension


def component_code_error(
    train: np.ndarray, test: np.ndarray, bits: float, components: int = 8
) -> float:
    """Return the mean squared error of patches rebuilt from quantised principal components.

    The bits go one by one to the component with the largest error left (each bit divides an error
    by four), and each component has a scalar quantiser that is optimal for the training patches.

    Args:
        train, test: patches (N, F).
        bits: of a patch, such as log2 of the size of a codebook.
        components: at most so many are used.
    """
    mean = train.mean(0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    directions = directions[:components]
    scores, unknown = (train - mean) @ directions.T, (test - mean) @ directions.T
    variance, share = scores.var(0), np.zeros(len(directions), dtype=int)
    for _ in range(int(bits)):
        share[np.argmax(variance * 4.0**-share)] += 1
    columns = [
        _quantised(scores[:, k], unknown[:, k], 2 ** int(n)) if n else np.zeros(len(test))
        for k, n in enumerate(share)
    ]
    rebuilt = np.stack(columns, 1) @ directions + mean
    return float(np.square(test - rebuilt).mean())


def _quantised(sample: np.ndarray, values: np.ndarray, levels: int) -> np.ndarray:
    """Return values replaced by the nearest of the best levels for a sample (Lloyd)."""
    centres = np.quantile(sample, (np.arange(levels) + 0.5) / levels)
    for _ in range(ROUNDS):
        nearest = np.abs(sample[:, None] - centres).argmin(1)
        sums = np.bincount(nearest, sample, levels)
        counts = np.bincount(nearest, minlength=levels)
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
    return np.asarray(centres[np.abs(values[:, None] - centres).argmin(1)])

"""What codes must beat: scalar codes of principal components, and guesses from visible neighbours.

Both know the training data and no network.
"""

from __future__ import annotations

import numpy as np

ROUNDS = 20  # of Lloyd's algorithm in one dimension
SMOOTHING = 0.1  # added to every count of neighbours


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


def _quantised(known: np.ndarray, values: np.ndarray, levels: int) -> np.ndarray:
    """Return values replaced by the nearest of the best levels for known ones (Lloyd)."""
    centres = np.quantile(known, (np.arange(levels) + 0.5) / levels)
    for _ in range(ROUNDS):
        nearest = np.abs(known[:, None] - centres).argmin(1)
        sums = np.bincount(nearest, known, levels)
        counts = np.bincount(nearest, minlength=levels)
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
    return np.asarray(centres[np.abs(values[:, None] - centres).argmin(1)])


def neighbour_guess(
    train: np.ndarray, codes: np.ndarray, mask: np.ndarray, n_codes: int
) -> np.ndarray:
    """Return the codes that naive Bayes guesses for hidden tokens from their visible neighbours.

    p(c | left, right) is taken as p(c) p(left | c) p(right | c), counted in the training codes.
    Both halves are guessed, each from the other, as symmetric masking does.

    Args:
        train: codes (N, L) of training windows.
        codes: (M, L) of others.
        mask: (M, L), true = hidden in the first pass.
        n_codes: K.

    Returns:
        (M, L) guesses.
    """
    pairs = np.full((2, n_codes, n_codes), SMOOTHING)
    np.add.at(pairs[0], (train[:, 1:].ravel(), train[:, :-1].ravel()), 1)  # code, its left
    np.add.at(pairs[1], (train[:, :-1].ravel(), train[:, 1:].ravel()), 1)  # code, its right
    logs = np.log(pairs / pairs.sum(2, keepdims=True))
    prior = np.log(np.bincount(train.ravel(), minlength=n_codes) + SMOOTHING)
    scores = np.broadcast_to(prior, (*codes.shape, n_codes)).copy()
    # In each pass one half is visible: a neighbour tells when it is of the other half.
    left = (mask[:, 1:] != mask[:, :-1])[..., None] * logs[0].T[codes[:, :-1]]
    right = (mask[:, :-1] != mask[:, 1:])[..., None] * logs[1].T[codes[:, 1:]]
    scores[:, 1:] += left
    scores[:, :-1] += right
    return np.asarray(scores.argmax(-1))

"""Agreement of generated speech with the true one, clip by clip.

All take log-mel spectra or waves of the same length; larger is better but for `cepstral_distance`.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

N_CEPSTRA = 13  # coefficients 1 to 13: the zeroth is the loudness (Kubichek 1993)
DB = 10 / np.log(10) * np.sqrt(2)  # of cepstral distances


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson correlations over the last axis, (...,); 0 where one does not vary."""
    a = first - first.mean(-1, keepdims=True)
    b = second - second.mean(-1, keepdims=True)
    size = np.sqrt(np.square(a).sum(-1) * np.square(b).sum(-1))
    return np.divide((a * b).sum(-1), size, out=np.zeros(size.shape), where=size > 1e-12)


def mel_correlation(generated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the correlation over all frames and bands of log-mel (N, frames, bands): (N,)."""
    return correlations(generated.reshape(len(generated), -1), true.reshape(len(true), -1))


def band_correlations(generated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the correlation over frames of each band of log-mel (N, frames, bands): (N, bands).

    Unlike the flat one it cannot be had from the average spectrum of speech alone.
    """
    return correlations(generated.swapaxes(1, 2), true.swapaxes(1, 2))


def cepstra(log_mel: np.ndarray) -> np.ndarray:
    """Return mel-cepstral coefficients 1 to 13 of log-mel (N, frames, bands)."""
    coefficients = dct(np.asarray(log_mel, float), type=2, norm="ortho", axis=-1)
    count = min(N_CEPSTRA, log_mel.shape[-1] - 1)
    # the orthonormal transform divides by sqrt(bands / 2): bands of another number, equal values
    return np.asarray(coefficients[..., 1 : count + 1] / np.sqrt(log_mel.shape[-1] / 2))


def cepstral_distance(generated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return mel-cepstral distances in dB, (N,), along the best path of dynamic time warping.

    Args:
        generated, true: log-mel (N, frames, bands).
    """
    a, b = cepstra(generated), cepstra(true)
    squares = np.square(a).sum(-1)[:, :, None] + np.square(b).sum(-1)[:, None]
    costs = np.sqrt(np.maximum(0, squares - 2 * a @ b.swapaxes(1, 2)))
    total, steps = warped(costs)
    return np.asarray(DB * total / steps)


def warped(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least sum of costs (N, A, B) over monotonous paths between corners, and its steps.

    All clips at once, one anti-diagonal after another.
    """
    n, rows, columns = costs.shape
    # one border more, so that a cell has three predecessors everywhere
    total = np.full((n, rows + 1, columns + 1), np.inf)
    steps = np.zeros((n, rows + 1, columns + 1))
    total[:, 0, 0] = 0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.stack([total[:, i, j], total[:, i, j + 1], total[:, i + 1, j]])
        best = before.argmin(0)[None]
        count = np.stack([steps[:, i, j], steps[:, i, j + 1], steps[:, i + 1, j]])
        total[:, i + 1, j + 1] = costs[:, i, j] + np.take_along_axis(before, best, 0)[0]
        steps[:, i + 1, j + 1] = 1 + np.take_along_axis(count, best, 0)[0]
    return total[:, -1, -1], steps[:, -1, -1]

"""Waves of sets of EEG samples: autocorrelation, amplitudes, copies."""

from __future__ import annotations

import numpy as np

from .spectra import wasserstein


def autocorrelation(x: np.ndarray, lags: int) -> np.ndarray:
    """Return the biased autocorrelation (N, C, lags) of x (N, C, T) at lags 1 to `lags`."""
    x = np.asarray(x, float)
    centred = x - x.mean(-1, keepdims=True)
    size = 1 << (2 * x.shape[-1] - 1).bit_length()  # padded: the transform is of a circle
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    products = np.fft.irfft(spectrum, size)[..., : lags + 1]
    return np.asarray(products[..., 1:] / products[..., :1])


def autocorrelation_rms(real: np.ndarray, other: np.ndarray) -> float:
    """Return the distance of mean autocorrelations (C, lags): rms over lags, mean over channels."""
    return float(np.sqrt(np.square(real - other).mean(1)).mean())


def amplitude_distance(real: np.ndarray, other: np.ndarray) -> float:
    """Return Wasserstein-1 between all values of a channel over the real sd, mean over channels."""
    distances = [
        wasserstein(real[:, c].ravel(), other[:, c].ravel()) / real[:, c].std()
        for c in range(real.shape[1])
    ]
    return float(np.mean(distances))


def hjorth(x: np.ndarray) -> np.ndarray:
    """Return activity, mobility, complexity (Hjorth 1970), mean over samples and channels: (3,)."""
    x = np.asarray(x, float)
    first, second = np.diff(x), np.diff(x, 2)
    a, b, c = (v.var(-1) for v in (x, first, second))
    mobility = np.sqrt(b / a)
    return np.array([a.mean(), mobility.mean(), (np.sqrt(c / b) / mobility).mean()])


def excess_kurtosis(x: np.ndarray) -> float:
    """Return the mean over samples and channels of m4 / m2^2 - 3 (population moments)."""
    centred = x - x.mean(-1, keepdims=True)
    return float(((centred**4).mean(-1) / (centred**2).mean(-1) ** 2 - 3).mean())


def largest_correlations(
    generated: np.ndarray, train: np.ndarray, max_lag: int, block: int = 64
) -> np.ndarray:
    """Return the largest correlation of each generated sample with any training one at any lag.

    Channels are summed together; each channel's mean over the whole sample is removed once, norms
    are taken over the overlapping part.

    Args:
        generated: (M, C, T).
        train: (N, C, T).
        max_lag: largest shift in samples, both ways.
        block: generated samples compared at once.

    Returns:
        (M,); values near 1 are copies.
    """
    a, b = (np.asarray(x, float) - x.mean(-1, keepdims=True) for x in (generated, train))
    length = a.shape[-1]
    best = np.full(len(a), -np.inf)
    # Lag by lag, never all pairs of all lags at once: of 2048 samples that would be 1.7 GB.
    for lag in range(-max_lag, max_lag + 1):
        left = b[..., max(0, lag) : length + min(0, lag)].reshape(len(b), -1)
        norms = np.linalg.norm(left, axis=1)
        for start in range(0, len(a), block):
            part = a[start : start + block, :, max(0, -lag) : length + min(0, -lag)]
            flat = part.reshape(len(part), -1)
            # A flat wave has no norm and correlates with nothing: 0 / 1e-300.
            cosine = flat @ left.T / (np.linalg.norm(flat, axis=1)[:, None] * norms + 1e-300)
            best[start : start + block] = np.maximum(best[start : start + block], cosine.max(1))
    return best

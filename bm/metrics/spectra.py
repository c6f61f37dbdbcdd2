"""Spectra of sets of EEG samples and distances between them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.signal import welch
from scipy.stats import wasserstein_distance

Bands = Mapping[str, tuple[float, float]]
#: Hz, lower edge included, upper excluded.
BANDS: dict[str, tuple[float, float]] = {
    "delta": (1, 4),
    "theta": (4, 8),
    "alpha": (8, 13),
    "beta": (13, 30),
    "gamma": (30, 45),
}
RANGE_HZ = (1.0, 45.0)  # of the spectral distances, both ends included
# Of the fit of the aperiodic part: the alpha peak would lift the line.
APERIODIC_HZ, PEAK_HZ = (2.0, 40.0), (7.0, 14.0)


def psd(x: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the Welch density: Hann segments of one second, half overlap, constant detrend.

    Args:
        x: (N, C, T).
        rate_hz: sampling rate.

    Returns:
        frequencies (F,) Hz and density (N, C, F) in unit^2/Hz.
    """
    size = min(round(rate_hz), x.shape[-1])  # one second: bins of 1 Hz, as the edges of the bands
    freqs, density = welch(np.asarray(x, float), rate_hz, "hann", size, detrend="constant")
    return freqs, density


def band_powers(freqs: np.ndarray, density: np.ndarray, bands: Bands = BANDS) -> np.ndarray:
    """Return the power of each band: the sum of the bins low <= f < high times the bin width.

    Args:
        freqs: (F,) Hz, evenly spaced.
        density: (..., F).
        bands: name -> edges, Hz.

    Returns:
        (..., bands).
    """
    width = freqs[1] - freqs[0]
    parts = [
        density[..., (freqs >= low) & (freqs < high)].sum(-1) * width
        for low, high in bands.values()
    ]
    return np.stack(parts, -1)


def _in_range(freqs: np.ndarray) -> np.ndarray:
    return (freqs >= RANGE_HZ[0]) & (freqs <= RANGE_HZ[1])


def log_spectral_distance(freqs: np.ndarray, real: np.ndarray, other: np.ndarray) -> float:
    """Return dB between mean densities (C, F): mean over channels of the rms over 1-45 Hz."""
    inside = _in_range(freqs)
    difference = 10 * np.log10(real[:, inside] / other[:, inside])
    return float(np.sqrt(np.square(difference).mean(1)).mean())


def spectral_jsd(freqs: np.ndarray, real: np.ndarray, other: np.ndarray) -> float:
    """Return the Jensen-Shannon divergence (nats) of two mean densities (C, F).

    Each channel is normalised to a distribution over 1-45 Hz; the mean over channels is returned.
    """
    p, q = (x[:, _in_range(freqs)] for x in (real, other))
    p, q = (x / x.sum(1, keepdims=True) for x in (p, q))
    m = (p + q) / 2
    # 0 log 0 is 0: a ratio of 1 stands for it, whose logarithm is taken.
    ratios = [np.divide(x, m, out=np.ones_like(x), where=x > 0) for x in (p, q)]
    parts = [(x * np.log(ratio)).sum(1) for x, ratio in zip((p, q), ratios, strict=True)]
    return float(((parts[0] + parts[1]) / 2).mean())


def band_power_distances(real: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return two distances between band powers (N, C, B) and (M, C, B), both in decades.

    Returns:
        mean over channels and bands of |difference of the log10 of the mean powers|, and of the
        Wasserstein-1 distance between the distributions of log10 power.
    """
    means = np.abs(np.log10(real.mean(0)) - np.log10(other.mean(0))).mean()
    a, b = np.log10(real), np.log10(other)
    distances = [
        wasserstein(a[:, c, k], b[:, c, k]) for c in range(a.shape[1]) for k in range(a.shape[2])
    ]
    return float(means), float(np.mean(distances))


def wasserstein(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Wasserstein-1 distance between two sets of numbers."""
    return float(wasserstein_distance(first, second))


def relative_band_powers(powers: np.ndarray) -> np.ndarray:
    """Return the share of each band (B,) of powers (N, C, B): mean over samples and channels."""
    return np.asarray((powers / powers.sum(-1, keepdims=True)).mean((0, 1)))


def aperiodic_fit(freqs: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line to log10 density over log10 frequency, 2-40 Hz without 7-14 Hz.

    Args:
        density: (C, F).

    Returns:
        exponent (C,), minus the slope, and intercept (C,).

    Source: a simple form of Donoghue et al. 2020.
    """
    inside = (freqs >= APERIODIC_HZ[0]) & (freqs <= APERIODIC_HZ[1])
    inside &= (freqs < PEAK_HZ[0]) | (freqs > PEAK_HZ[1])
    slope, intercept = np.polyfit(np.log10(freqs[inside]), np.log10(density[:, inside]).T, 1)
    return -slope, intercept


def alpha_peak(freqs: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return frequency (C,) Hz and height (C,) decades of the largest rise over the fit."""
    exponent, intercept = aperiodic_fit(freqs, density)
    inside = (freqs >= PEAK_HZ[0]) & (freqs <= PEAK_HZ[1])
    f = freqs[inside]
    fitted = intercept[:, None] - exponent[:, None] * np.log10(f)
    rise = np.log10(density[:, inside]) - fitted
    best = rise.argmax(1)
    return f[best], rise[np.arange(len(rise)), best]

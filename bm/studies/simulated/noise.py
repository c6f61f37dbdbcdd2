"""Gaussian noise with a given spectrum (simulated.md section 2, "Coloured noise")."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy import fft

Spectrum = Callable[[np.ndarray], np.ndarray]
BLOCK_S, FADE_S = 600, 1  # longer recordings are made in blocks, joined by a crossfade


def shaped(
    rng: Generator, spectrum: Spectrum, rows: int, samples: int, rate_hz: float
) -> np.ndarray:
    """Independent rows of Gaussian noise with one-sided density `spectrum(f)` in uV^2/Hz.

    Returns:
        (rows, samples) float32.
    """
    length = fft.next_fast_len(int(samples + rate_hz), real=True)
    frequencies = np.fft.rfftfreq(length, 1 / rate_hz)
    sd = np.sqrt(np.maximum(spectrum(frequencies), 0) * rate_hz * length / 4).astype(np.float32)
    parts = rng.standard_normal((rows, len(sd), 2), dtype=np.float32)
    parts *= sd[:, None]
    bins = parts.view(np.complex64)[..., 0]
    bins[:, 0] = 0
    return np.ascontiguousarray(fft.irfft(bins, length, axis=1, overwrite_x=True)[:, :samples])


def long_shaped(
    stream: Callable[[int], Generator],
    spectrum: Spectrum,
    rows: int,
    samples: int,
    rate_hz: float,
) -> np.ndarray:
    """As `shaped`, in blocks of 600 s joined by an equal-power crossfade of 1 s.

    Args:
        stream: number of the block -> its generator.
    """
    block, fade = round(BLOCK_S * rate_hz), round(FADE_S * rate_hz)
    if samples <= block:
        return shaped(stream(0), spectrum, rows, samples, rate_hz)
    out = np.zeros((rows, samples), dtype=np.float32)
    angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    for number, start in enumerate(range(0, samples, block)):
        stop = min(samples, start + block + fade)
        part = shaped(stream(number), spectrum, rows, stop - start, rate_hz)
        if number:  # fade in over the end of the block before
            part[:, :fade] *= np.sin(angle)[: part.shape[1]]
        if stop - start > block:  # fade out over the beginning of the next
            part[:, block:] *= np.cos(angle)[: part.shape[1] - block]
        out[:, start:stop] += part
    return out


def gaussian(centre_hz: float, width_hz: float) -> Spectrum:
    """exp(-(f - centre)^2 / (2 width^2))."""
    return lambda f: np.exp(-((f - centre_hz) ** 2) / (2 * width_hz**2))


def unit_variance(spectrum: Spectrum, rate_hz: float) -> Spectrum:
    """The spectrum divided by its integral up to half the rate."""
    frequencies = np.linspace(0, rate_hz / 2, 8192)
    total = np.trapezoid(spectrum(frequencies), frequencies)
    return lambda f: spectrum(f) / total


def scaled(spectrum: Spectrum, variance: float) -> Spectrum:
    """The spectrum times a variance."""
    return lambda f: variance * spectrum(f)


def integral(spectrum: Spectrum, low_hz: float, high_hz: float) -> float:
    """Variance between two frequencies."""
    frequencies = np.linspace(low_hz, high_hz, 2048)
    return float(np.trapezoid(spectrum(frequencies), frequencies))

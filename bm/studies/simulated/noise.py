"""Gaussian noise with a prescribed power spectrum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

#: Frequencies in Hz -> one-sided power spectral density in uV^2/Hz.
Spectrum = Callable[[np.ndarray], np.ndarray]
# Longer recordings are made in blocks joined by a crossfade, so that no transform spans a night.
BLOCK_S, FADE_S = 600, 1


def shaped(
    rng: Generator, spectrum: Spectrum, rows: int, samples: int, rate_hz: float
) -> np.ndarray:
    """Draw independent rows of Gaussian noise with one-sided density `spectrum(f)` in uV^2/Hz.

    Returns:
        (rows, samples) float32.
    """
    from scipy import fft  # only where noise is drawn: a prepared recording is read

    # A second more than needed is made and cut off: the transform is periodic, and without it the
    # last samples would continue in the first.
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
    """Draw noise as `shaped` does, in blocks of 600 s joined by a crossfade of 1 s.

    Args:
        stream: number of the block -> its generator.
        spectrum, rows, samples, rate_hz: see `shaped`.
    """
    block, fade = round(BLOCK_S * rate_hz), round(FADE_S * rate_hz)
    if samples <= block:
        return shaped(stream(0), spectrum, rows, samples, rate_hz)
    signal = np.zeros((rows, samples), dtype=np.float32)
    # Sine and cosine: independent blocks keep their power where they overlap.
    angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    for number, start in enumerate(range(0, samples, block)):
        stop = min(samples, start + block + fade)
        part = shaped(stream(number), spectrum, rows, stop - start, rate_hz)
        if number:  # fade in over the end of the block before
            part[:, :fade] *= np.sin(angle)[: part.shape[1]]
        if stop - start > block:  # fade out over the beginning of the next
            part[:, block:] *= np.cos(angle)[: part.shape[1] - block]
        signal[:, start:stop] += part
    return signal


def gaussian(centre_hz: float, width_hz: float) -> Spectrum:
    """Return the spectrum exp(-(f - centre)^2 / (2 width^2))."""
    return lambda f: np.exp(-((f - centre_hz) ** 2) / (2 * width_hz**2))


def aperiodic(
    amplitude_uv: float,
    exponent: float,
    corner_hz: float = 1.0,
    high_pass_hz: float = 0.1,
    band_hz: tuple[float, float] = (1.0, 40.0),
) -> Spectrum:
    """Return the 1/f spectrum of a background, of variance `amplitude_uv`^2 within `band_hz`.

    S(f) = A^2 h(f) / v with h(f) = f^4 / (f^4 + f_hp^4) / (f_c^a + f^a): flat below the corner f_c,
    falling with the exponent a above it, high-passed at f_hp; v is the integral of h over the band.
    """

    def shape(f: np.ndarray) -> np.ndarray:
        return f**4 / (f**4 + high_pass_hz**4) / (corner_hz**exponent + f**exponent)

    total = integral(shape, *band_hz)
    return lambda f: amplitude_uv**2 * shape(f) / total


def flat(low_hz: float, high_hz: float) -> Spectrum:
    """Return a spectrum of unit variance that is constant within a band and zero outside."""
    return lambda f: ((f >= low_hz) & (f <= high_hz)) / (high_hz - low_hz)


def unit_variance(spectrum: Spectrum, rate_hz: float) -> Spectrum:
    """Return a spectrum divided by its integral up to half the rate."""
    frequencies = np.linspace(0, rate_hz / 2, 8192)
    total = np.trapezoid(spectrum(frequencies), frequencies)
    return lambda f: spectrum(f) / total


def scaled(spectrum: Spectrum, variance: float) -> Spectrum:
    """Return a spectrum times a variance."""
    return lambda f: variance * spectrum(f)


def integral(spectrum: Spectrum, low_hz: float, high_hz: float) -> float:
    """Return the variance that a spectrum has between two frequencies."""
    frequencies = np.linspace(low_hz, high_hz, 2048)
    return float(np.trapezoid(spectrum(frequencies), frequencies))

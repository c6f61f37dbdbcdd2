"""STOI and its extended form: how well speech would be understood, from its envelopes.

Our own implementation of Taal et al. 2011 and of Jensen and Taal 2016; pystoi is not needed.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import resample_poly

RATE_HZ = 10_000  # at which the measures are defined
FRAME, HOP, N_FFT = 256, 128, 512
N_BANDS, LOWEST_HZ = 15, 150.0  # thirds of octaves
SEGMENT = 30  # frames compared at a time: 384 ms
BETA_DB = -15.0  # lower bound of the signal-to-distortion ratio
RANGE_DB = 40.0  # frames further below the loudest are left out
TINY = 1e-12


def third_octaves() -> np.ndarray:
    """Return which Fourier bins belong to each band: (N_BANDS, N_FFT // 2 + 1) of 0 and 1."""
    hz = np.arange(N_FFT // 2 + 1) * RATE_HZ / N_FFT
    centres = LOWEST_HZ * 2.0 ** (np.arange(N_BANDS) / 3)
    edges = [centres * 2 ** (-1 / 6), centres * 2 ** (1 / 6)]
    low, high = (np.abs(hz - edge[:, None]).argmin(1) for edge in edges)
    bins = np.arange(len(hz))
    return ((bins >= low[:, None]) & (bins < high[:, None])).astype(float)


def _frames(wave: np.ndarray) -> np.ndarray:
    """Return windowed frames (n, FRAME) of a wave."""
    starts = np.arange(0, len(wave) - FRAME + 1, HOP)
    window = np.hanning(FRAME + 2)[1:-1]
    return np.asarray(wave[starts[:, None] + np.arange(FRAME)] * window)


def _without_silence(true: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both waves without the frames in which the true one is silent."""
    a, b = _frames(true), _frames(other)
    level = 20 * np.log10(np.linalg.norm(a, axis=1) + TINY)
    loud = level > level.max() - RANGE_DB
    return _joined(a[loud]), _joined(b[loud])


def _joined(frames: np.ndarray) -> np.ndarray:
    """Return the overlap-add of frames (n, FRAME)."""
    wave = np.zeros((len(frames) - 1) * HOP + FRAME)
    for number, frame in enumerate(frames):
        wave[number * HOP : number * HOP + FRAME] += frame
    return wave


def envelopes(wave: np.ndarray) -> np.ndarray:
    """Return amplitudes (N_BANDS, frames) in thirds of octaves of a wave at 10 kHz."""
    power = np.abs(np.fft.rfft(_frames(wave), N_FFT)) ** 2
    return np.asarray(np.sqrt(third_octaves() @ power.T))


def intelligibility(
    true: np.ndarray, other: np.ndarray, rate_hz: int, extended: bool = False
) -> float:
    """Return STOI (or, `extended`, ESTOI) of a wave against the true one, 1 for the same.

    Args:
        true, other: (n,) of one length.
        rate_hz: of both.
        extended: spectral correlations, without the limit of distortions.

    Returns:
        nan where less than 384 ms of speech are left.
    """
    if not np.any(true):
        return float("nan")
    waves = [resample_poly(np.asarray(w, float), RATE_HZ, rate_hz) for w in (true, other)]
    if len(waves[0]) < FRAME:
        return float("nan")
    a, b = (envelopes(w) for w in _without_silence(*waves))
    if a.shape[1] < SEGMENT:
        return float("nan")
    views = [np.lib.stride_tricks.sliding_window_view(x, SEGMENT, axis=1) for x in (a, b)]
    x, y = (view.transpose(1, 0, 2) for view in views)  # (segments, bands, SEGMENT)
    if extended:
        x, y = (_unit(_unit(part, 2), 1) for part in (x, y))
        return float((x * y).sum((1, 2)).mean() / SEGMENT)
    scale = np.linalg.norm(x, axis=2, keepdims=True) / (
        np.linalg.norm(y, axis=2, keepdims=True) + TINY
    )
    limited = np.minimum(y * scale, x * (1 + 10 ** (-BETA_DB / 20)))
    return float((_unit(x, 2) * _unit(limited, 2)).sum(2).mean())


def _unit(values: np.ndarray, axis: int) -> np.ndarray:
    """Return values without their mean and of norm 1 along an axis."""
    centred = values - values.mean(axis, keepdims=True)
    return np.asarray(centred / (np.linalg.norm(centred, axis=axis, keepdims=True) + TINY))

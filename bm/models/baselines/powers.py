"""Features of windows for decoders without a network: band powers, mean amplitudes, pass bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import UserError

FILTER_ORDER = 4  # of the band-pass
PSD_S = 1.0  # length of a Welch segment: 1 Hz between frequencies, enough for bands


def log_band_powers(
    windows: np.ndarray, rate_hz: float, bands: Sequence[Sequence[float]]
) -> np.ndarray:
    """Return the log of the mean Welch density in each band: (N, C, T) -> (N, C * bands).

    Raises:
        UserError: a band lies between two frequencies of the windows.
    """
    from scipy.signal import welch

    segment = min(windows.shape[-1], round(PSD_S * rate_hz))
    frequencies, density = welch(windows, rate_hz, nperseg=segment, axis=-1)
    parts = []
    for low, high in bands:
        inside = (frequencies >= low) & (frequencies <= high)
        if not inside.any():
            raise UserError(
                f"solver.bands: no frequency of a window of {windows.shape[-1] / rate_hz:g} s lies "
                f"in [{low:g}, {high:g}] Hz; they are {frequencies[1]:g} Hz apart up to "
                f"{frequencies[-1]:g}: use wider bands or longer windows"
            )
        # A disconnected channel has no power at all; 1e-12 is far below any amplifier.
        parts.append(np.log(density[..., inside].mean(-1) + 1e-12))
    return np.concatenate(parts, 1)


def mean_amplitudes(windows: np.ndarray, samples: int) -> np.ndarray:
    """Return the mean of consecutive stretches: (N, C, T) -> (N, C * (T // samples)).

    The features of event-related and slow potentials (Blankertz et al., NeuroImage 56, 814, 2011).
    What is left over at the end is not used.

    Raises:
        UserError: a stretch longer than the windows, or of no sample.
    """
    count = windows.shape[-1] // max(1, samples)
    if samples < 1 or count < 1:
        raise UserError(
            f"solver.stretch_s: a stretch has {samples} samples, a window {windows.shape[-1]}"
        )
    parts = windows[..., : count * samples].reshape(*windows.shape[:2], count, samples)
    return parts.mean(-1).reshape(len(windows), -1)


def band_passed(windows: np.ndarray, rate_hz: float, low_hz: float, high_hz: float) -> np.ndarray:
    """Return windows (N, C, T) within a band: Butterworth of order 4, there and back.

    Raises:
        UserError: a band that the rate cannot hold.
    """
    from scipy.signal import butter, sosfiltfilt

    if not 0 < low_hz < high_hz < rate_hz / 2:
        raise UserError(
            f"solver.bands: [{low_hz:g}, {high_hz:g}] Hz does not lie between 0 and "
            f"{rate_hz / 2:g} Hz, half the rate of these windows; use another band"
        )
    sections = butter(FILTER_ORDER, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(sosfiltfilt(sections, windows, padlen=min(windows.shape[-1] - 1, 200)))

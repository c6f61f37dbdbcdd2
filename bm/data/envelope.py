"""Log power of a band over time, such as the high gamma of intracranial recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

from ..errors import UserError
from .stretches import joins_of, stretches_of

if TYPE_CHECKING:
    import mne

#: Power (uV^2) below which a channel is silent: its logarithm would be anything.
FLOOR_UV2 = 1e-6
ORDER = 4  # of the Butterworth filter, forward and backward
UV = 1e-6  # volts


def log_power(
    raw: mne.io.BaseRaw, low_hz: float, high_hz: float, window_s: float = 0.05
) -> mne.io.BaseRaw:
    """Replace each channel by the natural logarithm of its power (uV^2) in a band.

    The power is the mean square of the filtered signal in a window around each sample; what lies
    beyond a join or the edge of a trial is not looked at. The result counts as microvolts, so that
    a log power of 3 is stored as 3; it varies no faster than 1 / `window_s`, and a `resample` step
    behind makes it short.

    Args:
        raw: loaded.
        low_hz, high_hz: edges of the band.
        window_s: length of the mean.

    Raises:
        UserError: the band does not fit below half the rate, or the window holds no two samples.
    """
    rate = float(raw.info["sfreq"])
    if not 0 < low_hz < high_hz < rate / 2:
        raise UserError(
            f"envelope: {low_hz:g} to {high_hz:g} Hz is no band below half the rate, {rate / 2:g}"
        )
    samples = round(window_s * rate)
    if samples < 2:
        raise UserError(f"envelope: window_s={window_s:g} holds {samples} samples; use more")
    sections = scipy.signal.butter(ORDER, (low_hz, high_hz), "bandpass", fs=rate, output="sos")
    joins = [round(t * rate) for t in joins_of(stretches_of(raw))]

    def powers(x: np.ndarray) -> np.ndarray:
        parts = [_log_power(part, sections, samples) for part in np.split(x, joins, axis=-1)]
        return np.concatenate(parts, axis=-1)

    return raw.apply_function(powers, picks="all", channel_wise=False, verbose="error")


def _log_power(x: np.ndarray, sections: np.ndarray, samples: int) -> np.ndarray:
    """Return the log power of one stretch (C, T) in V, as volts that stand for its number."""
    padding = min(3 * (2 * len(sections) + 1), x.shape[-1] - 1)
    filtered = scipy.signal.sosfiltfilt(sections, x / UV, axis=-1, padlen=padding)
    power = scipy.ndimage.uniform_filter1d(filtered**2, samples, axis=-1, mode="nearest")
    return np.log(np.maximum(power, FLOOR_UV2)) * UV

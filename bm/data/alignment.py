"""Alignment of recordings: channels of each are mixed to be uncorrelated and of equal power.

What differs between people, sessions and caps before anything is decoded (skull, distance of
electrodes, noise that all of them share) is in the covariance of a recording. Labels have no part
in it (Euclidean alignment, He & Wu, IEEE TBME 67:399, 2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    import mne

#: Directions with less than this part of the largest power hold nothing: an average reference takes
#: one from the channels, an interpolated channel another.
FLOOR = 1e-8
AT_ONCE = 1 << 16  # samples mixed at a time


def align(data: np.ndarray, info: mne.Info, sd: float = 1e-5) -> None:
    """Multiply a recording by the inverse square root of its covariance, in place.

    Of all matrices that whiten, this one changes the signal least, so that channels stay near the
    places where they were. Filter before it: drifts would make up the covariance.

    Args:
        data: (T, C) in SI units; may be mapped from a file.
        info: of the C channels.
        sd: of every channel afterwards, in SI units: 10 uV, as a plausible EEG has.

    Raises:
        UserError: channels of several kinds, or too few samples for their covariance.
    """
    kinds = sorted(set(info.get_channel_types()))
    samples, channels = data.shape
    if len(kinds) > 1:
        raise UserError(f"align: channels of kinds {' and '.join(kinds)}; pick one kind before it")
    if samples <= channels:
        raise UserError(f"align: {samples} samples tell no covariance of {channels} channels")
    mean = data.mean(0, dtype=np.float64)
    covariance = np.zeros((channels, channels))
    for start in range(0, samples, AT_ONCE):
        part = data[start : start + AT_ONCE].astype(np.float64) - mean
        covariance += part.T @ part / samples
    powers, directions = np.linalg.eigh(covariance)
    # Beside its mean a constant has the power of rounding alone.
    filled = powers > max(FLOOR * powers[-1], (1e-9 * np.abs(mean).max()) ** 2)
    if not filled.any():
        raise UserError("align: every channel is constant; leave the recording out")
    scales = np.where(filled, powers, np.inf) ** -0.5 * sd
    matrix = (directions * scales) @ directions.T
    for start in range(0, samples, AT_ONCE):
        part = data[start : start + AT_ONCE].astype(np.float64) - mean
        data[start : start + AT_ONCE] = part @ matrix

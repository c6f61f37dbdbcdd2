"""Repair of sensors that are bad for a while: interpolation from their neighbours.

What is bad is learned from each recording by the package autoreject (Jas et al., NeuroImage
159:417, 2017): for every sensor the largest range of values that still is signal, and how many of
the sensors beyond it are replaced. Speech decoding may use it (brainmagick,
`dset.autoreject`). The recording is judged in windows that follow one another; none is dropped.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import mne
import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    from autoreject import AutoReject

KINDS = ("eeg", "mag", "grad")
AT_ONCE = 64  # windows repaired at a time: all at once would be a copy of the recording
MISSING = (
    "preprocessing step autoreject needs the package autoreject, which is not installed; run "
    "`pip install -e '.[autoreject]'`"
)


def repair(
    data: np.ndarray,
    info: mne.Info,
    window_s: float = 3.0,
    n_windows: int = 200,
    seed: int = 1234,
) -> int:
    """Repair a recording in place.

    Args:
        data: (T, C) in SI units; may be mapped from a file.
        info: of the C channels, with their places.
        window_s: what is judged at a time; published: the windows of training.
        n_windows: windows that are learned from, chosen at random.
        seed: of the choice and of the learning.

    Returns:
        number of sensors replaced, over all windows.

    Raises:
        UserError: the package is not installed, fewer than 10 windows, or sensors without a place
            or of a kind that cannot be interpolated.
    """
    try:
        from autoreject import AutoReject
    except ImportError:
        raise UserError(MISSING) from None
    check_sensors(info)
    length = round(window_s * info["sfreq"])
    starts = window_starts(len(data), length)
    rng = np.random.default_rng(seed)
    learned = np.sort(rng.permutation(len(starts))[:n_windows])
    model = AutoReject(random_state=seed, n_jobs=1, verbose=False)
    with warnings.catch_warnings():  # a poor sphere, few channels: of each of hundreds of fits
        warnings.simplefilter("ignore")
        model.fit(epochs_of(data, info, [starts[i] for i in learned], length))
        # Parts of equal size: the last window, which may overlap, is never alone in one.
        parts = np.array_split(np.arange(len(starts)), math.ceil(len(starts) / AT_ONCE))
        return sum(_replace(model, data, info, starts, part, length) for part in parts)


def check_sensors(info: mne.Info) -> None:
    """Raise `UserError` for sensors that cannot be made from their neighbours."""
    kinds = sorted(set(info.get_channel_types()))
    other = [kind for kind in kinds if kind not in KINDS]
    places = np.array([channel["loc"][:3] for channel in info["chs"]], dtype=float)
    lost = ~np.isfinite(places).all(1) | (places == 0).all(1)
    if other:
        raise UserError(f"preprocessing step autoreject: {other[0]} channels have no neighbours")
    if lost.any():
        name = info["ch_names"][int(lost.argmax())]
        raise UserError(
            f"preprocessing step autoreject: channel {name!r} has no place; drop it, or give the "
            "study a montage"
        )


def window_starts(samples: int, length: int) -> list[int]:
    """Return first samples of windows that follow one another; the last ends with the recording.

    Raises:
        UserError: fewer than 10 windows, of which thresholds are learned by tenfold validation.
    """
    if length < 2 or samples < 10 * length:
        raise UserError(
            f"preprocessing step autoreject: a recording of {samples} samples has fewer than 10 "
            f"windows of {length}; shorten window_s, or leave the recording out"
        )
    starts = list(range(0, samples - length + 1, length))
    return starts if samples % length == 0 else [*starts, samples - length]


def epochs_of(
    data: np.ndarray, info: mne.Info, starts: Sequence[int], length: int
) -> mne.EpochsArray:
    """Return windows of a recording (T, C) as epochs."""
    windows = np.stack([np.asarray(data[s : s + length], float).T for s in starts])
    return mne.EpochsArray(windows, info, proj=False, verbose="error")


def _replace(
    model: AutoReject, data: np.ndarray, info: mne.Info, starts: Sequence[int], numbers: np.ndarray,
    length: int,
) -> int:  # fmt: skip
    """Repair windows by number; of one that overlaps the one before only its own part changes."""
    epochs = epochs_of(data, info, [starts[number] for number in numbers], length)
    log = model.get_reject_log(epochs)
    log.bad_epochs[:] = False  # nothing is dropped
    repaired = model.transform(epochs, reject_log=log).get_data(copy=False)
    replaced = log.labels == 2
    for window, bad, number in zip(repaired, replaced, numbers.tolist(), strict=True):
        sensors, begin = np.flatnonzero(bad), number * length
        part = data[begin : starts[number] + length]
        part[:, sensors] = window[sensors, begin - starts[number] :].T
    return int(replaced.sum())

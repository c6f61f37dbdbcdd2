"""Preprocessing of recordings too long for memory: a few channels at a time.

Time steps run on groups of channels. Channel steps are linear and act sample by sample, so the
identity matrix passed through them gives their matrix, which is applied to one stretch of time
after another. Window steps change the scratch file in place.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np

from .preprocess import apply_step, apply_window_step, check_steps, kind_of
from .stretches import Stretch, notes_of, stretches_of

#: Bytes of float64 above which a recording is treated in groups of channels, and bytes of a group:
#: 128 MiB are 64 channels of 4 minutes at 1 kHz. Measured, 25 minutes of 64 channels at 500 Hz,
#: filtered and resampled: 1.1 of MNE's time and .52 of its memory (whole: 1.3 and 1.0).
WHOLE, GROUP = 1 << 27, 1 << 26
STRETCH = 1 << 20  # samples mixed at once


def is_long(raw: mne.io.BaseRaw) -> bool:
    """Return whether a recording is better not loaded at once."""
    return raw.n_times * len(raw.ch_names) * 8 > WHOLE


def scratch(shape: tuple[int, int], folder: Path | None) -> np.ndarray:
    """Return (T, C) float32 in a file without a name: nothing is left when the process dies."""
    with tempfile.TemporaryFile(dir=folder) as file:  # the map outlives the descriptor
        file.truncate(max(4, 4 * shape[0] * shape[1]))
        return np.memmap(file, np.float32, "r+", shape=shape)


def apply_in_chunks(
    raw: mne.io.BaseRaw, steps: Sequence[Mapping[str, Any]], folder: Path | None = None
) -> tuple[np.ndarray, mne.Info]:
    """Apply preprocessing steps as `apply_steps` does, within bounded memory.

    Args:
        raw: not loaded.
        steps: preprocessing steps.
        folder: where the scratch file lies; None = the system's folder for such files.

    Returns:
        data: (T, C) float32 in the raw's unit, in a scratch file that vanishes with the array.
        info: of the channels, with the final rate.
    """
    check_steps(steps)
    data: np.ndarray | None = None
    info, stretches = raw.info, stretches_of(raw)
    for kind, group in runs_of(steps):
        if kind == "time":
            read = raw_reader(raw) if data is None else array_reader(data, info)
            data, info, stretches = _along_time(read, info, group, folder, stretches)
            continue
        if data is None and all(s["step"] in ("pick", "drop", "rename") for s in group):
            for step in group:  # nothing is read by these
                raw = apply_step(raw, step)
            info = raw.info
            continue
        if data is None:
            data, info, _ = _along_time(raw_reader(raw), info, [], folder, stretches)
        if kind == "window":
            for step in group:
                apply_window_step(data, info, step)
        else:
            data, info = _across_channels(data, info, group, folder)
    if data is None:
        data, info, _ = _along_time(raw_reader(raw), info, [], folder, stretches)
    return data, info


def runs_of(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield runs of consecutive steps of one kind: (kind, steps)."""
    for kind, group in itertools.groupby(steps, lambda step: kind_of(step["step"])):
        yield kind, list(group)


#: Channel numbers -> a loaded Raw of these channels.
ChannelReader = Callable[[list[int]], "mne.io.BaseRaw"]


def raw_reader(raw: mne.io.BaseRaw) -> ChannelReader:
    """Return a reader of some channels of a recording that is not loaded."""

    def read(channels: list[int]) -> mne.io.BaseRaw:
        part = mne.pick_info(raw.info, channels)
        return mne.io.RawArray(raw.get_data(picks=channels), part, verbose="error")

    return read


def array_reader(data: np.ndarray, info: mne.Info) -> ChannelReader:
    """Return a reader of some channels of an array (T, C), such as the scratch file."""

    def read(channels: list[int]) -> mne.io.BaseRaw:
        part = mne.pick_info(info, channels)
        block = np.ascontiguousarray(data[:, channels].T, dtype=np.float64)
        return mne.io.RawArray(block, part, copy="info", verbose="error")

    return read


def _along_time(
    read: ChannelReader,
    info: mne.Info,
    steps: Sequence[Mapping[str, Any]],
    folder: Path | None,
    stretches: Sequence[Stretch],
) -> tuple[np.ndarray, mne.Info, tuple[Stretch, ...]]:
    """Apply time steps to groups of channels; return data, info and stretches after them."""
    count = len(info["ch_names"])
    data: np.ndarray | None = None
    rate, size, first, after = info["sfreq"], 1, 0, tuple(stretches)
    while first < count:
        channels = list(range(first, min(count, first + size)))
        part = read(channels)
        longest = part.n_times
        # Filters stop at joins; the array of a part has lost its annotations.
        part.set_annotations(notes_of(stretches))
        for step in steps:
            part = apply_step(part, step)
        after = stretches_of(part)
        block = part.get_data()
        rate = part.info["sfreq"]
        if data is None:
            data = scratch((block.shape[1], count), folder)
        data[:, channels] = block.T
        first += len(channels)
        # The first channel tells how long they are, before or after resampling.
        size = max(1, GROUP // (8 * max(longest, block.shape[1])))
        del part, block
    assert data is not None
    changed = info.copy()
    with changed._unlock():
        changed["sfreq"] = rate
        changed["lowpass"] = min(changed["lowpass"] or rate / 2, rate / 2)
    return data, changed, after


def _across_channels(
    data: np.ndarray, info: mne.Info, steps: Sequence[Mapping[str, Any]], folder: Path | None
) -> tuple[np.ndarray, mne.Info]:
    """Apply channel steps as one matrix to stretches of time."""
    identity = mne.io.RawArray(np.eye(data.shape[1]), info.copy(), verbose="error")
    for step in steps:
        identity = apply_step(identity, step)
    matrix = identity.get_data().astype(np.float64)
    mixed = scratch((len(data), len(matrix)), folder)
    for start in range(0, len(data), STRETCH):
        mixed[start : start + STRETCH] = data[start : start + STRETCH].astype(np.float64) @ matrix.T
    return mixed, identity.info

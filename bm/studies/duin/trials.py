"""Runs of Du-IN's word task: two pickles, `data` with the trials and `info` with the channels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import RecordingError
from ...readers.inert_pickle import read_pickle

RATE_HZ = 1000.0
#: `signal` of the study -> the stored arrays that it is made of: differences A1 - A2 of neighbours,
#: their sums A1 + A2, or half of both together, the contact A1.
SIGNALS = {"differences": ("data_s",), "sums": ("data_n",), "contacts": ("data_s", "data_n")}
FETCH = "fetch the run again, or leave it out"


@dataclass(frozen=True)
class RunTrials:
    """Trials of a run.

    Attributes:
        labels: word of each trial, as the file has it.
        channels: names.
        arrays: (C, T) of each trial.
    """

    labels: tuple[str, ...]
    channels: tuple[str, ...]
    arrays: tuple[np.ndarray, ...]

    def lengths(self) -> np.ndarray:
        """Return the samples of each trial (n,)."""
        return np.array([array.shape[1] for array in self.arrays])


def read_channels(path: Path, records: Sequence[str] = ()) -> tuple[str, ...]:
    """Read the names of the channels from a file `info`.

    Raises:
        RecordingError: no names, or one twice.
    """
    content = read_pickle(path, records)
    names = content.get("ch_names") if isinstance(content, dict) else None
    names = names.tolist() if isinstance(names, np.ndarray) else names
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise RecordingError(path, "no list of names `ch_names`", FETCH)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RecordingError(path, f"two channels are called {twice}", FETCH)
    return tuple(names)


def read_run(folder: Path, signal: str, records: Sequence[str] = ()) -> RunTrials:
    """Read the trials of a run.

    Args:
        folder: with `data` and `info`.
        signal: key of `SIGNALS`.
        records: see `read_pickle`.

    Raises:
        RecordingError: one of the files is absent or no such file, a trial without its signal, or
            of another number of channels than there are names.
    """
    for name in ("data", "info"):
        if not (folder / name).is_file():
            raise RecordingError(folder, f"no file `{name}`", FETCH)
    stamps = tuple((folder / name).stat().st_mtime_ns for name in ("data", "info"))
    return _read_run(folder, signal, tuple(records), stamps)


@functools.lru_cache(maxsize=1)  # events and signal are asked for one after the other
def _read_run(
    folder: Path, signal: str, records: tuple[str, ...], stamps: tuple[int, ...]
) -> RunTrials:
    channels = read_channels(folder / "info", records)
    path = folder / "data"
    content = read_pickle(path, records)
    if not isinstance(content, list) or not content:
        raise RecordingError(path, f"a {type(content).__name__}, not a list of trials", FETCH)
    labels, arrays = [], []
    for number, trial in enumerate(content, 1):
        if not isinstance(trial, dict) or not isinstance(trial.get("name"), str):
            raise RecordingError(path, f"trial {number} has no word `name`", FETCH)
        labels.append(trial["name"])
        parts = [_array(path, number, trial, name, len(channels)) for name in SIGNALS[signal]]
        if len({part.shape for part in parts}) > 1:
            raise RecordingError(path, f"trial {number}: data_s and data_n differ in size", FETCH)
        arrays.append(parts[0] if len(parts) == 1 else (parts[0] + parts[1]) / 2)
    return RunTrials(tuple(labels), channels, tuple(arrays))


def _array(path: Path, number: int, trial: dict[str, Any], name: str, count: int) -> np.ndarray:
    """Return one stored signal (C, T) of a trial."""
    array = trial.get(name)
    if array is None and name == "data_n":
        raise RecordingError(
            path,
            f"trial {number} has no sums X_n (`data_n`), as the public files",
            "use the study's `signal: differences`, or files with `data_n`",
        )
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
        raise RecordingError(path, f"trial {number} has no array `{name}` (channels, time)", FETCH)
    if array.shape[0] != count:
        reason = f"trial {number}: {name} has {array.shape[0]} rows for {count} channel names"
        raise RecordingError(path, reason, FETCH)
    return array

"""LaBraM's HDF5 layout: a group per recording with `eeg` (C, T), read and written.

As LaBraM writes it for its pre-training (Jiang et al. 2024): float64 microvolts, attributes
`lFreq`, `hFreq`, `rsFreq` and `chOrder` (upper-case names) on the data; every recording of a file
has the same channels in the same order.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..data.hdf5 import dataset_of
from ..data.signal import Signal
from ..errors import RecordingError, UserError
from ..writing import written_aside

DATA = "eeg"
REMEDY = "write it as scripts.prepare does with h5=..., or skip it"
STRETCH = 1 << 18  # samples written at once


@dataclass(frozen=True)
class Group:
    """One recording of a file: channel names, rate and length in samples."""

    path: Path
    name: str
    channels: tuple[str, ...]
    rate_hz: float
    samples: int


def open_file(path: Path) -> h5py.File:
    """Open a file to read.

    Raises:
        RecordingError: it is not there, or no HDF5 file.
    """
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise RecordingError(path, "no such file", "restore the file, or skip it") from None
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise RecordingError(path, f"no HDF5 file ({reason})", "restore it, or skip it") from None


def names_of(path: Path) -> list[str]:
    """Return the names of the recordings, in the file's order."""
    with open_file(path) as file:
        return list(file)


def read_group(path: Path, name: str) -> Group:
    """Read the channels, rate and length of a recording.

    Raises:
        RecordingError: no such recording, or one that is not as the layout promises.
    """
    with open_file(path) as file:
        data = dataset_of(file, f"{name}/{DATA}")
        if data is None or data.ndim != 2 or data.dtype.kind not in "fi":
            raise RecordingError(path, f"{name}: no numbers `{DATA}` (channels, samples)", REMEDY)
        missing = [key for key in ("chOrder", "rsFreq") if key not in data.attrs]
        if missing:
            raise RecordingError(path, f"{name}: no attribute {missing[0]}", REMEDY)
        channels = tuple(_text(one) for one in data.attrs["chOrder"])
        rate, shape = float(data.attrs["rsFreq"]), data.shape
    if len(channels) != shape[0]:
        reason = f"{name}: {len(channels)} names for {shape[0]} channels"
        raise RecordingError(path, reason, REMEDY)
    if not (np.isfinite(rate) and rate > 0):
        raise RecordingError(path, f"{name}: rsFreq is {rate:g}", REMEDY)
    return Group(Path(path), name, channels, rate, shape[1])


def read_samples(
    group: Group, start: int, stop: int, channels: slice | np.ndarray | None = None
) -> np.ndarray:
    """Read samples of a recording.

    No file stays open between two calls: one that was open before a fork gave its readers each
    other's bytes (a fault of the original).

    Args:
        group: the recording.
        start, stop: first sample, and the one after the last.
        channels: numbers, in the order of the result; None = all.

    Returns:
        (C, stop - start) float64, microvolts.

    Raises:
        RecordingError: the file is damaged there.
    """
    # HDF5 selects slices fast and lists slowly: read the span, then pick.
    rows = np.arange(len(group.channels))[slice(None) if channels is None else channels]
    low = int(rows.min(initial=len(group.channels)))
    with open_file(group.path) as file:
        data = dataset_of(file, f"{group.name}/{DATA}")
        if data is None:
            raise RecordingError(group.path, f"{group.name}: the numbers are gone", REMEDY)
        try:  # a long recording is read a few channels at a time: no more than these
            span = data[low : int(rows.max(initial=0)) + 1, start:stop]
            samples: np.ndarray = span[rows - low]
        except OSError as error:
            reason = f"{group.name}: damaged ({str(error).splitlines()[0]})"
            raise RecordingError(group.path, reason, "restore the file, or skip it") from None
    return samples.astype(np.float64, copy=False)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def band_of(recipe: Mapping[str, Any], rate_hz: float) -> dict[str, float]:
    """Return attributes `lFreq` and `hFreq`: the band that the steps of a recipe leave."""
    steps = [s for s in recipe.get("preprocess") or [] if s.get("step") == "bandpass"]
    low = [float(s["low_hz"]) for s in steps if s.get("low_hz") is not None]
    high = [float(s["high_hz"]) for s in steps if s.get("high_hz") is not None]
    return {"lFreq": max(low, default=0.0), "hFreq": min([*high, rate_hz / 2])}


def write_file(path: Path, signals: Mapping[str, Signal], recipe: Mapping[str, Any]) -> None:
    """Write recordings of one channel set as one file: aside, fsynced, renamed.

    Args:
        path: the file; one that is there is replaced.
        signals: by name of the recording, in microvolts.
        recipe: how they were preprocessed.

    Raises:
        UserError: other channels, another rate or another unit than the first; no space, or the
            folder cannot be written.
    """
    path = Path(path)
    _check_alike(path, signals)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_aside(path, signals, recipe)
    except OSError as error:
        if error.errno == errno.ENOSPC or "No space left" in str(error):
            size = sum(8 * s.samples * len(s.channels) for s in signals.values()) / 1e9
            raise UserError(f"{path}: no space left for {size:.2f} GB; free some") from None
        reason = error.strerror or str(error)
        raise UserError(f"{path}: cannot be written ({reason}); choose another folder") from None


def _write_aside(path: Path, signals: Mapping[str, Signal], recipe: Mapping[str, Any]) -> None:
    with written_aside(path) as aside, h5py.File(aside, "w") as file:
        for name, signal in signals.items():
            _write_group(file.create_group(name), signal, recipe)


def _check_alike(path: Path, signals: Mapping[str, Signal]) -> None:
    first = next(iter(signals.values()), None)
    for name, signal in signals.items():
        if "/" in name or not name:
            raise UserError(f"{path}: {name!r} is no name of a recording; leave the slash out")
        if signal.unit != "uV":
            raise UserError(f"{path}: {name} is in {signal.unit}; the layout holds microvolts")
        if first is not None and (signal.channels, signal.rate_hz) != _layout_of(first):
            raise UserError(f"{path}: {name} has other channels or another rate; use another file")


def _layout_of(signal: Signal) -> tuple[tuple[str, ...], float]:
    return signal.channels, signal.rate_hz


def _write_group(group: h5py.Group, signal: Signal, recipe: Mapping[str, Any]) -> None:
    rate, count = signal.rate_hz, len(signal.channels)
    # One second of all channels, as in the published files; not larger than the data.
    chunks = (count, max(1, min(round(rate), signal.samples)))
    data = group.create_dataset(DATA, (count, signal.samples), "<f8", chunks=chunks)
    for start in range(0, signal.samples, STRETCH):
        rows = signal.rows(start, STRETCH)
        data[:, start : start + len(rows)] = rows.numpy().T.astype(np.float64)
    data.attrs["chOrder"] = [name.upper() for name in signal.channels]
    # A whole rate is an integer and names are upper-case, as in the published files.
    data.attrs["rsFreq"] = int(rate) if rate.is_integer() else rate
    for key, value in band_of(recipe, rate).items():
        data.attrs[key] = value


def write_folder(
    folder: Path, signals: Sequence[tuple[str, str, Signal]], recipe: Mapping[str, Any]
) -> list[Path]:
    """Write recordings, one file per study, channel set and rate.

    Args:
        folder: where the files go.
        signals: study, name of the recording, and signal.
        recipe: how they were preprocessed.

    Returns:
        the files: `<study>-<channels>ch-<rate>hz.hdf5`, with a number from the second set on.
    """
    sets: dict[tuple[str, tuple[str, ...], float], dict[str, Signal]] = {}
    for study, name, signal in signals:
        sets.setdefault((study, *_layout_of(signal)), {})[name] = signal
    written: list[Path] = []
    for (study, channels, rate), members in sets.items():
        stem = f"{study}-{len(channels)}ch-{rate:g}hz"
        same = sum(p.name.startswith(f"{stem}.") or p.name.startswith(f"{stem}-") for p in written)
        path = Path(folder) / (f"{stem}-{same + 1}.hdf5" if same else f"{stem}.hdf5")
        write_file(path, members, recipe)
        written.append(path)
    return written

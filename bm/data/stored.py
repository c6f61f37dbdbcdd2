"""What one file of the store holds: its header, small tables, and where its samples lie."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .content import Content
from .hdf5 import dataset_of, place_of
from .signal import Signal
from .stretches import TRIAL_EDGE, Stretch, is_join

logger = logging.getLogger(__name__)
#: Raised when files of an older layout cannot be read any more: 2 holds bad channels and stretches,
#: 3 the trials that share samples.
FORMAT = 3
#: Part of the identity of a signal: raised when the same recording and recipe give other numbers.
NUMBERS = 1
PAGE = 4096  # bytes
LANDMARKS = ("landmarks", "landmark_times")  # datasets of keys and times


def events_to_json(events: pd.DataFrame) -> str:
    """Return a table as JSON that gives every number back exactly."""
    return json.dumps({name: events[name].tolist() for name in events})


def map_floats(path: Path, offset: int, shape: tuple[int, ...]) -> Tensor:
    """Map (T, C) float32 at a byte offset of a file privately; no descriptor is held.

    `numpy.memmap` holds one each and dies at 1,018 recordings (1,024 descriptors a process).
    """
    count = offset // 4 + shape[0] * shape[1]
    whole = torch.from_file(str(path), shared=False, size=count, dtype=torch.float32)
    return whole[offset // 4 :].view(shape)


@dataclass(frozen=True)
class Stored:
    """A file of the store, read but for its samples.

    Attributes:
        header: see `Store`.
        events: table as JSON.
        positions: (C, 3) metres.
        landmarks: keys and times of `Content`, none in files of before these were stored.
        offset: byte of the first sample.
        shape: (T, C) of the samples.
    """

    header: dict[str, Any]
    events: str
    positions: np.ndarray
    landmarks: tuple[np.ndarray, np.ndarray] | None
    offset: int
    shape: tuple[int, ...]

    def signal(self, path: Path) -> Signal:
        """Return the signal, whose samples are mapped from the file at `path`."""
        header = self.header
        # Content, not paths: the same recording elsewhere is the same signal.
        hashes = [one["sha256"] for one in [*header["sources"], *header.get("opened", ())]]
        stretches = tuple(Stretch(*one) for one in header["stretches"])
        numbers = numbers_of(header["recipe"], stretches)
        text = json.dumps([numbers, header["fingerprint"], hashes, header["recipe"]])
        content = self.content()
        return Signal(
            data=map_floats(path, self.offset, self.shape),
            channels=tuple(header["channels"]),
            kinds=tuple(header["kinds"]),
            positions=self.positions,
            rate_hz=header["rate_hz"],
            unit=header["unit"],
            events=pd.DataFrame(json.loads(self.events)),
            bads=tuple(header["bads"]),
            stretches=stretches,
            identity=hashlib.sha256(text.encode()).hexdigest(),
            shift_s=content.shift_s,
            content=content,
        )

    def content(self) -> Content:
        """Return what the recording is; files of before this was stored do not say it."""
        header = self.header
        if self.landmarks is None:
            return Content("", "", header["recording"]["run"])
        keys, times_s = self.landmarks
        return Content(
            header["content"], header["samples_sha256"], header["path"], header["shift_s"],
            keys, times_s,
        )  # fmt: skip


def _values(file: h5py.h5f.FileID, name: str) -> np.ndarray:
    """Read a small dataset by the low-level calls, which take half the time."""
    dataset = h5py.h5d.open(file, name.encode())
    values = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _text(file: h5py.h5f.FileID, name: str) -> str:
    return bytes(_values(file, name)[()]).decode()


def _read_header(file: h5py.h5f.FileID) -> dict[str, Any] | None:
    header: dict[str, Any] = json.loads(_text(file, "header"))
    return header if header.get("format") == FORMAT else None


def _log_damage(path: Path, error: Exception) -> None:
    logger.warning("%s: damaged (%s); built again", path, str(error).splitlines()[0])


def read_header(path: Path) -> dict[str, Any] | None:
    """Read the header of a stored file; None when it is not there or cannot be read."""
    try:
        return _read_header(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        _log_damage(path, error)
        return None


def read_stored(path: Path) -> Stored | None:
    """Read a stored file but for its samples; None when it is not there or cannot be read.

    Raises:
        RecordingError: the samples are a link to another file.
    """
    try:  # opened once: every recording is asked at every start
        file = h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY)
        header = _read_header(file)
        if header is None:
            return None
        place = place_of(file, "signal")
        if place is None:
            dataset_of(h5py.File(file), "signal")  # which says where a link leads
            raise KeyError("no signal of one piece in it")
        marks = None
        if file.links.exists(LANDMARKS[0].encode()):
            marks = _values(file, LANDMARKS[0]), _values(file, LANDMARKS[1])
        return Stored(
            header,
            _text(file, "events"),
            _values(file, "positions"),
            marks,
            *place,
        )
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        _log_damage(path, error)
        return None


def write_stored(path: Path, signal: Signal, header: str) -> None:
    """Write a file and flush it to the disk."""
    with h5py.File(
        path, "w", libver="latest", alignment_threshold=PAGE, alignment_interval=PAGE
    ) as file:
        data = file.create_dataset("signal", data=signal.data.numpy().astype("<f4", copy=False))
        data.attrs["unit"] = signal.unit
        data.attrs["rate_hz"] = signal.rate_hz
        file["channels"] = list(signal.channels)
        file["positions"] = signal.positions.astype(np.float32)
        file["events"] = events_to_json(signal.events)
        if signal.content is not None:
            for name, values in zip(
                LANDMARKS, (signal.content.keys, signal.content.times_s), strict=True
            ):
                file[name] = values
        file["header"] = header


def numbers_of(recipe: Mapping[str, Any], stretches: Sequence[Stretch]) -> int | list[object]:
    """Return what tells signals of one recording and recipe apart that are other numbers.

    Resampling once ran over joins; recordings without any are what they were.
    """
    steps = [step.get("step") for step in recipe.get("preprocess") or ()]
    resampled = recipe.get("rate_hz") is not None or "resample" in steps
    # Trials that are cut already were always resampled each by itself.
    joined = any(is_join(one.text) and one.text != TRIAL_EDGE for one in stretches)
    return [NUMBERS, "pieces"] if resampled and joined else NUMBERS

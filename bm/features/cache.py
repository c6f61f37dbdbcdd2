"""Rows of features on disk: made once, by one process, then mapped by all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from ..data.store import PAGE, locked


@dataclass(frozen=True)
class Rows:
    """Rows of the events of one recording: (n + 1, F), row 0 the default; and how many of each."""

    table: Tensor
    counts: tuple[int, ...]


def stacked(parts: Sequence[np.ndarray], default: np.ndarray) -> Rows:
    """The default row (1, F) and the rows of all events, one after the other."""
    table = np.concatenate([default, *parts]).astype(default.dtype, copy=False)
    return Rows(torch.from_numpy(table), tuple(map(len, parts)))


class FeatureCache:
    """Folder of rows: one file per feature, options and events.

    Args:
        folder: `paths.cache`; None = everything in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = None if folder is None else Path(folder) / "features"

    def get(self, name: str, key: str, make: Callable[[], Rows]) -> Rows:
        """The rows of a key, made now when nobody has; equal keys of recordings share a file.

        Args:
            name: of the feature.
            key: text that changes whenever the rows would.
            make: computes them.

        Raises:
            UserError: the cache cannot be written.
        """
        if self.folder is None:
            return make()
        digest = hashlib.sha256(key.encode()).hexdigest()[:24]
        path = self.folder / name / f"{digest}.h5"
        found = _read(path)
        if found is not None:
            return found
        with locked(path):
            found = _read(path)
            if found is None:
                _write(path, make(), key)
                found = _read(path)
        if found is None:
            raise RuntimeError(f"{path} cannot be read back")
        return found


def _write(path: Path, rows: Rows, key: str) -> None:
    """Whole or absent, and on the disk."""
    aside = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        with h5py.File(
            aside, "w", libver="latest", alignment_threshold=PAGE, alignment_interval=PAGE
        ) as file:
            file.create_dataset("rows", data=rows.table.numpy())
            file["counts"] = np.array(rows.counts, np.int64)
            file["key"] = json.dumps(key)
        with open(aside, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path) -> Rows | None:
    """Mapped rows; None when there is no such file or it is damaged."""
    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as file:
            data, counts = file["rows"], tuple(file["counts"][()].tolist())
            offset, shape, kind = data.id.get_offset(), data.shape, np.dtype(data.dtype)
            if path.stat().st_size < offset + data.nbytes:
                return None
    except (OSError, KeyError):
        return None
    dtype = torch.int64 if kind == np.int64 else torch.float32
    first, count = offset // kind.itemsize, shape[0] * shape[1]
    whole = torch.from_file(str(path), shared=False, size=first + count, dtype=dtype)
    return Rows(whole[first:].view(shape), counts)

"""Rows of features on disk: computed once, by one process, then mapped by all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from ..data.hdf5 import dataset_of
from ..data.store import locked
from ..data.stored import PAGE
from ..writing import replacing


@dataclass(frozen=True)
class Rows:
    """Rows of the events of one recording: (n + 1, F), row 0 the default; and how many of each."""

    table: Tensor
    counts: tuple[int, ...]


def stacked(parts: Sequence[np.ndarray], default: np.ndarray) -> Rows:
    """Concatenate the default row (1, F) and the rows of all events."""
    table = np.concatenate([default, *parts]).astype(default.dtype, copy=False)
    return Rows(torch.from_numpy(table), tuple(map(len, parts)))


class FeatureCache:
    """Folder of rows: one file per feature, options and events.

    Args:
        folder: `paths.cache`; None = everything in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = None if folder is None else Path(folder) / "features"

    def get(self, name: str, key: str, compute: Callable[[], Rows]) -> Rows:
        """Return the rows of a key, computed now unless they are there; equal keys share a file.

        Args:
            name: of the feature.
            key: text that changes whenever the rows would.
            compute: makes them.

        Raises:
            UserError: the cache cannot be written.
        """
        if self.folder is None:
            return compute()
        digest = hashlib.sha256(key.encode()).hexdigest()[:24]  # 96 bits: names do not collide
        path = self.folder / name / f"{digest}.h5"
        rows = _read(path)
        if rows is not None:
            return rows
        with locked(path):
            rows = _read(path)  # another process may have written them meanwhile
            if rows is None:
                _write(path, compute(), key)
                rows = _read(path)
        if rows is None:
            raise RuntimeError(f"{path} cannot be read back")
        return rows


def _write(path: Path, rows: Rows, key: str) -> None:
    """Write the rows: whole or not at all, and on the disk when this returns."""
    with (
        replacing(path) as aside,
        h5py.File(
            aside, "w", libver="latest", alignment_threshold=PAGE, alignment_interval=PAGE
        ) as file,
    ):
        file.create_dataset("rows", data=rows.table.numpy())
        file["counts"] = np.array(rows.counts, np.int64)
        file["key"] = json.dumps(key)


def _read(path: Path) -> Rows | None:
    """Map the rows of a file; None when there is no such file or it is damaged."""
    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as file:
            data, counts = dataset_of(file, "rows"), tuple(file["counts"][()].tolist())
            if data is None:
                return None
            offset, shape, kind = data.id.get_offset(), data.shape, np.dtype(data.dtype)
            # A file that was cut off keeps its header: the rows would be read beyond its end.
            if path.stat().st_size < offset + data.nbytes:
                return None
    except (OSError, KeyError):
        return None
    dtype = torch.int64 if kind == np.int64 else torch.float32
    first, count = offset // kind.itemsize, shape[0] * shape[1]
    # Unlike numpy.memmap this holds no file descriptor, of which a process has about a thousand.
    whole = torch.from_file(str(path), shared=False, size=first + count, dtype=dtype)
    return Rows(whole[first:].view(shape), counts)

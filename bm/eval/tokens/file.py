"""Features of frozen networks on disk: one HDF5 file, a group per recording.

The file's attributes: `kind` (tokens or codes), `model`, `signature` ("" without one), `weights`
(sha256 of the weights' file), `rate_hz`, `patch_samples`, `layer` (-1 = all blocks and the last
norm), `pool`, `scaling` (none, training or recording: where mean and deviation of scaled windows
are from), `classes`, `values`, `preprocess` (JSON), `simulated` and `version`. A group has the
attributes `study`, `subject`, `session`, `run`, `channels` and `rate_hz`, and of N windows:

- `tokens` (N, C, A, D) float32, (N, D) with pool=mean; or `codes` (N, C, A) int32; C is 1 where a
  token is of all channels together;
- `start_s` (N,) seconds from the recording's start;
- where the windows have them: `label` (N,) int64, an index into `classes`; `value` (N, V), named by
  `values`; `split` (N,) text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...data.recording import RecordingId
from ...errors import UserError
from ...writing import written_aside

CHUNK_BYTES = 1 << 14  # a chunk is a window, or several that are smaller than this together


def check_writable(path: Path) -> None:
    """Make the folder of a file to come.

    Raises:
        UserError: the file cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermissionError(0, "is a folder" if path.is_dir() else "cannot be written")
    except OSError as error:
        raise UserError(f"out={path}: {error.strerror}; give a file to write") from None


@contextmanager
def token_file(path: Path, attributes: Mapping[str, Any]) -> Iterator[TokenFile]:
    """Yield a new file, written aside and renamed when the block ends without an error.

    An error, Ctrl-C included, leaves what was at `path` before.
    """
    check_writable(path)
    with written_aside(path) as aside, h5py.File(aside, "w") as file:
        _describe(file, attributes)
        yield TokenFile(file)


def _describe(target: h5py.Group, attributes: Mapping[str, Any]) -> None:
    """Set attributes; a list is one of texts, also when it is empty and does not say so."""
    for name, value in attributes.items():
        if isinstance(value, list):
            target.attrs.create(name, value, (len(value),), h5py.string_dtype())
        else:
            target.attrs[name] = value


class TokenFile:
    """An open file that takes the features of one recording after the other."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def add(
        self,
        identity: RecordingId,
        attributes: Mapping[str, Any],
        columns: Mapping[str, np.ndarray],
        batches: Iterator[np.ndarray],
    ) -> None:
        """Write a recording, batch by batch.

        Args:
            identity: of the recording, whose name the group has.
            attributes: of the group, beside who and when.
            columns: (N, ...) by name, of the windows.
            batches: features of the windows in order, float32 `tokens` or int32 `codes`.
        """
        group = self._file.create_group(self._free(identity.name.replace("/", "-")))
        for name in ("study", "subject", "session", "run"):
            group.attrs[name] = getattr(identity, name)
        _describe(group, attributes)
        for name, values in columns.items():
            dtype = h5py.string_dtype() if values.dtype.kind == "O" else values.dtype
            group.create_dataset(name, data=values, dtype=dtype)
        count, at, data = len(columns["start_s"]), 0, None
        for batch in batches:
            if data is None:
                name = "codes" if batch.dtype.kind == "i" else "tokens"
                # Chunks of whole windows: a reader takes windows, seldom parts of one.
                chunk = max(1, min(count, CHUNK_BYTES // batch[0].nbytes))
                shape = batch.shape[1:]
                # Little-endian on every machine: the file is for other programs.
                data = group.create_dataset(
                    name, (count, *shape), batch.dtype.newbyteorder("<"), chunks=(chunk, *shape)
                )
            data[at : at + len(batch)] = batch
            at += len(batch)
        assert at == count, f"{at} of {count} windows"

    def _free(self, name: str) -> str:
        """Return the name, with a number when another recording has it."""
        number, free = 1, name
        while free in self._file:
            number += 1
            free = f"{name}-{number}"
        return free

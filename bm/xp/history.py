"""Histories: one line per epoch in a JSON list, to which an epoch is appended.

A history that is written anew at each epoch takes longer with every epoch. Here the closing bracket
is written over by the new line and a bracket, in one call of the system, so that a process that is
killed leaves the list with or without the epoch. What a power cut tears is restored from the
checkpoint, which holds the history too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dora.link import Link
from dora.utils import jsonable

from ..writing import explained, sync, write_text

END = b"\n]\n"


def write_history(path: Path, epochs: Sequence[Mapping[str, Any]]) -> int:
    """Replace a history; return the size of the file."""
    lines = ",\n".join(json.dumps(epoch) for epoch in epochs)
    text = f"[\n{lines}{END.decode()}" if epochs else "[]\n"
    write_text(path, text, durable=False)
    return len(text.encode())


def append_epoch(path: Path, epoch: Mapping[str, Any], size: int) -> int | None:
    """Append to the history that `write_history` left; return its new size.

    None, and nothing is written, when the file is not the one of that size.
    """
    line = json.dumps(epoch).encode()
    with explained(path):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            place = size - len(END)
            if os.fstat(descriptor).st_size != size or os.pread(descriptor, 3, place) != END:
                return None
            text = b",\n" + line + END
            try:
                written = 0
                while written < len(text):  # a full disk takes a part, and refuses the next call
                    written += os.pwrite(descriptor, text[written:], place + written)
            except OSError:
                os.pwrite(descriptor, END, place)
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
    return place + len(text)


def push_metrics(self: Link, metrics: Mapping[str, Any]) -> None:
    """Add an epoch to the history of an experiment; stands in for Dora's, which writes all anew."""
    epoch = jsonable(metrics)
    self.history.append(epoch)
    path = _file_of(self)
    if path is None:
        return
    size = getattr(self, "_bm_size", None)
    size = None if size is None else append_epoch(path, epoch, size)
    self._bm_size = write_history(path, self.history) if size is None else size  # type: ignore[attr-defined]


def update_history(self: Link, history: Sequence[Mapping[str, Any]]) -> None:
    """Replace the history of an experiment; stands in for Dora's."""
    self.history[:] = jsonable(list(history))
    path = _file_of(self)
    if path is not None:
        size = write_history(path, self.history)
        self._bm_size = size if self.history else None  # type: ignore[attr-defined]


def settle_history(path: Path) -> None:
    """Bring a history to the disk, for which appending does not wait, before a run is finished."""
    sync(path)
    sync(path.parent)


def _file_of(link: Link) -> Path | None:
    """Return the file that this process writes, the first of several alone."""
    from dora import distrib

    return Path(link.history_file) if link.history_file and distrib.is_master() else None

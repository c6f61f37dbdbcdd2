"""The files a recording is read from: have they changed?"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import RecordingError

BLOCK = 1 << 22  # bytes hashed at once


@dataclass(frozen=True)
class Source:
    """One file: its path, size in bytes, time of the last change (ns) and content."""

    path: str
    size: int
    mtime_ns: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def stat_of(path: str) -> tuple[int, int]:
    """Size and time of the last change; raises `RecordingError` when the file is not there."""
    try:
        found = Path(path).stat()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordingError(path, reason.lower(), "restore the file, or skip it") from None
    return found.st_size, found.st_mtime_ns


def hash_file(path: str) -> str:
    """sha256 of the content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def content_of(path: str) -> str:
    """sha256 of the content; of a file untouched since it was last asked for, the known one.

    A file may hold hundreds of recordings. The time of change of its entry (ctime) cannot be set
    back; files changed in the last second are always read, as its clock ticks in milliseconds.
    """
    found = os.stat(path)
    key = (path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if key not in _known or time.time_ns() - found.st_ctime_ns < 1e9:
        _known[key] = hash_file(path)
    return _known[key]


_known: dict[tuple, str] = {}


def read_sources(paths: Sequence[str]) -> list[Source]:
    """All files with their hashes."""
    return [Source(path, *stat_of(path), content_of(path)) for path in paths]


def untouched(known: Sequence[Source], paths: Sequence[str]) -> bool:
    """True when sizes and times are those known: nothing is read."""
    if len(known) != len(paths):
        return False
    return all(
        (one.size, one.mtime_ns) == stat_of(path) for one, path in zip(known, paths, strict=True)
    )


def same_content(known: Sequence[Source], paths: Sequence[str]) -> bool:
    """True when every file has the content known, whatever its time and place."""
    if len(known) != len(paths):
        return False
    pairs = list(zip(known, paths, strict=True))
    if any(one.size != stat_of(path)[0] for one, path in pairs):
        return False
    return all(one.sha256 == content_of(path) for one, path in pairs)

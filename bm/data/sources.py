"""Source files of a recording: their size, time and content, and whether these have changed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
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
        """Return plain values."""
        return asdict(self)


def stat_of(path: str) -> tuple[int, int]:
    """Return size and time of the last change (ns).

    Raises:
        RecordingError: the file is not there.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RecordingError(path, reason.lower(), "restore the file, or skip it") from None
    return status.st_size, status.st_mtime_ns


def hash_file(path: str) -> str:
    """Compute the SHA-256 of the content."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def content_of(path: str) -> str:
    """Return the SHA-256 of the content, computed once as long as the file is not touched.

    A file may hold hundreds of recordings. The time of change of its entry (ctime) cannot be set
    back; files changed in the last second are always read, as its clock ticks in milliseconds.
    """
    status = os.stat(path)
    key = (path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key not in _hashes or time.time_ns() - status.st_ctime_ns < 1e9:
        _hashes[key] = hash_file(path)
    return _hashes[key]


#: Of this process: (path, inode, size, mtime, ctime) -> SHA-256.
_hashes: dict[tuple[str, int, int, int, int], str] = {}


def read_opened(opened: Mapping[str, tuple[int, int]], paths: Sequence[str]) -> list[Source]:
    """Return the files that were opened besides `paths`, with their hashes.

    Args:
        opened: path -> size and time of change when it was opened.
        paths: files that are known anyway, perhaps by the name of a link.

    Raises:
        RecordingError: a file that has changed since.
    """
    present, sources = {os.path.realpath(path) for path in paths}, []
    for path, status in opened.items():
        if os.path.realpath(path) in present:
            continue
        present.add(os.path.realpath(path))
        if stat_of(path) != status:
            raise RecordingError(path, "the file changed while it was read", "run it again")
        sources.append(Source(path, *status, content_of(path)))
    return sources


def read_sources(paths: Sequence[str]) -> list[Source]:
    """Return all files with their hashes."""
    return [Source(path, *stat_of(path), content_of(path)) for path in paths]


def untouched(sources: Sequence[Source], paths: Sequence[str]) -> bool:
    """Return whether files have the sizes and times of `sources`; nothing is read."""
    if len(sources) != len(paths):
        return False
    return all(
        (one.size, one.mtime_ns) == stat_of(path) for one, path in zip(sources, paths, strict=True)
    )


def same_content(sources: Sequence[Source], paths: Sequence[str]) -> bool:
    """Return whether files have the content of `sources`, whatever their time and place."""
    if len(sources) != len(paths):
        return False
    pairs = list(zip(sources, paths, strict=True))
    # Sizes first: a file of gigabytes need not be hashed to see that it grew.
    if any(one.size != stat_of(path)[0] for one, path in pairs):
        return False
    return all(one.sha256 == content_of(path) for one, path in pairs)

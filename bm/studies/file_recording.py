"""FileRecording: a recording of one file, checked while it is read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.recording import Recording, RecordingId
from ..errors import RecordingError
from . import montage
from .event_table import check_events
from .preflight import mark, preflight
from .reading import UNITS, Reading, open_raw

if TYPE_CHECKING:
    import mne
    import pandas as pd


class FileRecording(Recording):
    """One recording in one file (and what lies beside it).

    A study gives `read_events`; `open` where MNE cannot read the file.

    Args:
        identity: who, when and where.
        path: the file.
        reading: how it is read.
        beside: further files that decide what is read (tables, other halves of the format).
        cache: folder that remembers checksums of files; None = only this process does.
    """

    def __init__(
        self,
        identity: RecordingId,
        path: Path,
        reading: Reading,
        beside: tuple[Path, ...] = (),
        cache: Path | None = None,
    ) -> None:
        self.id, self.path, self.reading, self.cache = identity, path, reading, cache
        self.source = tuple(str(p) for p in (path, *beside))

    def open(self) -> mne.io.BaseRaw:
        """The whole file as MNE sees it."""
        return open_raw(self.path, self.reading)

    def load_raw(self) -> mne.io.BaseRaw:
        """Data channels of the recording's kind in V or T, named, placed, and looked through.

        Flat and doubled channels are listed in `info["bads"]`; they stay in the data.

        Raises:
            RecordingError: anything that would make a number wrong, see `preflight`.
        """
        raw = self.open()
        kind = self.id.kind
        montage.set_types(raw, self.reading, kind)
        raw = montage.pick_kind(raw, self.reading, self.path, kind)
        self.adjust(raw)
        montage.place(raw, self.reading, self.path, kind)
        if self.reading.unit is not None and self.path.suffix.lower() != ".csv":
            # The file says V (MNE's reading of it); the study knows better.
            factor = UNITS[self.reading.unit]
            raw.load_data(verbose="error").apply_function(lambda x: x * factor, picks="all")
        mark(raw, preflight(raw, self.path, kind), self.path, self.reading.bad_channels)
        return raw

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """What a study changes between naming and placing; nothing by default."""

    @abstractmethod
    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Events with `kind, start_s, duration_s` and own columns, as they are in the file."""

    def events(self) -> pd.DataFrame:
        """Checked events: in order, inside the recording (others are named in the log)."""
        raw = self.open()
        duration = raw.n_times / float(raw.info["sfreq"])
        return check_events(self.read_events(raw), duration, self.path)

    def options(self) -> dict[str, Any]:
        """What else decides how the recording is read; part of the fingerprint."""
        return {}

    def fingerprint(self) -> str:
        """Checksums of all files, how they are read, and who it is: the same on every machine."""
        missing = [name for name in self.source if not Path(name).exists()]
        if missing:
            raise RecordingError(missing[0], "no such file", "check the path")
        sums = [[Path(n).name, file_checksum(Path(n), self.cache)] for n in self.source]
        return json.dumps([vars(self.id), sums, vars(self.reading), self.options()], default=list)


def file_checksum(path: Path, cache: Path | None) -> str:
    """SHA-256 of a file, computed again only when its size or time changed."""
    if path.is_dir():
        parts = [file_checksum(p, cache) for p in sorted(path.rglob("*")) if p.is_file()]
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    found = path.stat()
    return _checksum(path.resolve(), found.st_size, found.st_mtime_ns, cache)


@lru_cache(maxsize=100_000)
def _checksum(path: Path, size: int, time_ns: int, cache: Path | None) -> str:
    note = None
    if cache is not None:
        key = hashlib.sha256(str(path).encode()).hexdigest()[:24]
        note = cache / "checksums" / f"{key}.json"
        try:
            known = json.loads(note.read_text())
            if known[:2] == [size, time_ns]:
                return str(known[2])
        except (OSError, ValueError, TypeError, IndexError):
            pass  # absent or torn: computed again
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            state.update(block)
    digest = state.hexdigest()
    if note is not None:
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, delete=False) as new:
            json.dump([size, time_ns, digest], new)
        os.replace(new.name, note)
    return digest

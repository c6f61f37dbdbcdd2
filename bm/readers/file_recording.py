"""FileRecording: a recording of one file, checked while it is read."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.recording import Recording, RecordingId
from ..data.sources import stat_of
from . import montage
from .event_table import check_events
from .inputs import leave_out, suspects
from .opened import opened_files
from .plausibility import mark, preflight
from .raw import UNITS, Reading, open_raw

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
    """

    def __init__(
        self,
        identity: RecordingId,
        path: Path,
        reading: Reading,
        beside: tuple[Path, ...] = (),
    ) -> None:
        self.id, self.path, self.reading = identity, path, reading
        self.source = tuple(name for p in (path, *beside) for name in files_of(p))

    def open(self) -> mne.io.BaseRaw:
        """Open the whole file as MNE sees it."""
        with opened_files() as paths:
            raw = open_raw(self.path, self.reading)
        # What is read later than at opening (FIF parts, samples beside a header) is named by MNE.
        paths += [os.path.abspath(name) for name in raw.filenames if name is not None]
        self.opened = {path: stat_of(path) for path in dict.fromkeys(paths)}
        return raw

    @property
    def part(self) -> str:
        """Return that the recording is all of its file."""
        return ""

    def signal_files(self) -> tuple[str, ...]:
        """Return the file, or all in a folder that is one, and what the reader opened besides."""
        return (*files_of(self.path), *self.opened)

    def load_raw(self) -> mne.io.BaseRaw:
        """Return data channels of the recording's kind in V or T: named, placed and checked.

        Flat and doubled channels are listed in `info["bads"]`; they stay in the data.

        Raises:
            RecordingError: anything that would make a number wrong, see `preflight`.
        """
        raw = self.open()
        kind = self.data_kind
        montage.set_types(raw, self.reading, kind)
        raw = montage.pick_kind(raw, self.reading, self.path, kind)
        self.adjust(raw)
        montage.place(raw, self.reading, self.path, kind)
        if self.reading.unit is not None and self.path.suffix.lower() != ".csv":
            # The file says V (MNE's reading of it); the study knows better. A .csv has no unit
            # and is scaled while it is read.
            factor = UNITS[self.reading.unit]
            raw.load_data(verbose="error").apply_function(lambda x: x * factor, picks="all")
        names = suspects(raw, self.reading, list(montage.standard_places()), kind)
        findings = preflight(raw, self.path, kind, names)
        mark(raw, findings, self.path, self.reading.bad_channels)
        return leave_out(raw, findings.labels, self.path, kind)

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Change what only a study knows, between naming and placing; the default does nothing."""

    @abstractmethod
    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return `kind, start_s, duration_s` and the kinds' columns, as they are in the file."""

    def events(self) -> pd.DataFrame:
        """Return checked events: in order, inside the recording (others go to the log)."""
        raw = self.open()
        duration = raw.n_times / float(raw.info["sfreq"])
        return check_events(self.read_events(raw), duration, self.path_of_events)

    @property
    def path_of_events(self) -> Path:
        """File that the events are read from, for messages."""
        return self.path

    def options(self) -> dict[str, Any]:
        """Return what else decides how the recording is read; part of the fingerprint."""
        return {}

    def fingerprint(self) -> str:
        """Return who it is and how the files are read; their content is the store's concern."""
        return json.dumps([vars(self.id), self.reading.plain(), self.options()], default=list)


def files_of(path: Path) -> tuple[str, ...]:
    """Return a file, or all files of a recording that is a folder (CTF `.ds`, EGI `.mff`)."""
    if not path.is_dir():
        return (str(path),)
    return tuple(str(p) for p in sorted(path.rglob("*")) if p.is_file())

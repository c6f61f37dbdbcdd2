"""Study `dutch_words`: single words read aloud in Dutch, depth electrodes of ten people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np

from ..data.recording import RecordingId
from ..errors import RecordingError
from ..readers import bids
from ..readers.event_table import check_events, frame, read_table
from ..readers.file_recording import FileRecording
from ..readers.nwb import read_series
from ..readers.raw import UNITS, Reading
from . import STUDIES
from .base import Study

if TYPE_CHECKING:
    import pandas as pd

SIGNAL, SOUND, MARKS = "iEEG", "Audio", "Stimulus"  # series of a file
#: Of the numbers where a file states none: electrodes move by some tens of them.
UNIT = "uV"
SITE = "https://osf.io/nrgx6 (CC BY 4.0)"


class SpokenRecording(FileRecording):
    """One person: 100 words of 2 s with a cross of 1 s between them."""

    tables: bids.Sidecars = bids.Sidecars()

    def open(self) -> mne.io.BaseRaw:
        """Return the signal with the names and kinds of channels.tsv.

        Raises:
            RecordingError: other numbers of rows and of channels.
        """
        series = read_series(self.path, SIGNAL)
        values = np.atleast_2d(np.asarray(series.values, float))
        names = [f"channel {n + 1}" for n in range(values.shape[1])]
        if self.tables.channels is not None:
            table = read_table(self.tables.channels)
            if len(table) != values.shape[1]:
                reason = f"{len(table)} rows for {values.shape[1]} channels of {self.path.name}"
                raise RecordingError(self.tables.channels, reason, "fetch both again")
            names = [str(name) for name in table["name"]]
        info = mne.create_info(names, series.rate_hz, "seeg")
        factor = UNITS.get(series.unit.replace("µ", "u"), UNITS[UNIT])
        # NWB says volts by default, whatever the numbers are: no brain moves by a volt.
        if series.unit in ("V", "volts", "") and np.median(np.abs(values)) > 1e-2:
            factor = UNITS[UNIT]
        raw = mne.io.RawArray(values.T * factor, info, verbose="error")
        if self.tables.channels is not None:
            bids.apply_channels(raw, self.tables.channels, "seeg")
        return raw

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Set the places of electrodes.tsv."""
        if self.tables.electrodes is not None:
            places = self.tables
            bids.apply_electrodes(raw, self.tables.electrodes, places.coordinates, "seeg")

    def events(self) -> pd.DataFrame:
        """Return the words; nothing of the signal is read."""
        series = read_series(self.path, MARKS)
        table = word_events(series.values, series.rate_hz)
        return check_events(table, len(series.values) / series.rate_hz, self.path)

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return the words."""
        return self.events()

    def options(self) -> dict[str, Any]:
        """Return which tables are read."""
        return {"tables": [path.name for path in self.tables.paths()]}


def word_events(marks: np.ndarray, rate_hz: float) -> pd.DataFrame:
    """Return a trial for each stretch of equal marks (T,) that is not empty.

    >>> word_events(np.array(["", "een", "een", ""]), 2.0)["start_s"].tolist()
    [0.5]
    """
    texts = np.array([str(mark).strip() for mark in marks], dtype=object)
    steps = np.flatnonzero(texts[1:] != texts[:-1]) + 1
    bounds = [0, *steps.tolist(), len(texts)]
    rows: list[dict[str, Any]] = []
    for first, stop in pairwise(bounds):
        word = texts[first]
        if word:
            row = {"kind": "trial", "start_s": first / rate_hz,
                   "duration_s": (stop - first) / rate_hz}  # fmt: skip
            rows.append({**row, "label": word, "word": word, "trial": len(rows)})
    return frame(rows, ("label", "word", "trial"))


@STUDIES.register("dutch_words")
class DutchWords(Study):
    """100 Dutch words a person, shown for 2 s and read aloud (Verwoert et al., Sci Data 2022).

    Files are `<root>/dutch_words/SingleWordProductionDutch-iBIDS/sub-01/ieeg/
    sub-01_task-wordProduction_ieeg.nwb` with channels.tsv and electrodes.tsv beside them, as
    distributed at https://osf.io/nrgx6 (CC BY 4.0): fetch the archive there and unpack it. 1024 Hz.
    Each word is read about once, so that classes of words cannot be learned; what is spoken when
    can (`segment.kind: trial`, or windows of the recording).

    Args:
        options: see `Study`; people are named 01 to 10.
    """

    name = "dutch_words"
    subfolder = "SingleWordProductionDutch-iBIDS"

    def recordings(self) -> Sequence[SpokenRecording]:
        """Return people by name.

        Raises:
            UserError: nobody is there.
        """
        return self.present(
            self._find,
            f"no sub-01/ieeg/sub-01_task-wordProduction_ieeg.nwb in {self.folder}; fetch it from "
            f"{SITE} and set paths.studies (BM_DATA) or the study's `path`",
        )

    def _find(self) -> list[SpokenRecording]:
        listing, recordings = bids.Listing(), []
        for path in sorted(self.folder.glob("sub-*/ieeg/*_ieeg.nwb")):
            person = bids.entities(path.stem).get("sub", path.parent.parent.name[4:])
            if not self.includes(person):
                continue
            tables = bids.sidecars(path, self.folder, person, {}, listing)
            identity = RecordingId(self.name, person, "0", "0", "seeg")
            recording = SpokenRecording(identity, path, Reading(montage=None), tables.paths())
            recording.tables = tables
            recordings.append(recording)
        return recordings


def sound_of(path: Path) -> tuple[np.ndarray, float]:
    """Return the microphone (T,) of a person's file in its own unit, and its rate in Hz."""
    series = read_series(path, SOUND)
    return np.ravel(series.values), series.rate_hz

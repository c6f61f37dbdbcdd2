"""Study `tuev`: TUH EEG Events Corpus, six kinds of events."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.recording import RecordingId
from ..errors import RecordingError
from ..readers.event_table import frame
from . import STUDIES
from .shared.tuh import PARTS, READING, TUHCorpus, TUHRecording

if TYPE_CHECKING:
    import mne
    import pandas as pd

logger = logging.getLogger(__name__)
#: Spike and slow wave, generalised and lateralised periodic discharges, eye movement, artefact,
#: background. Class numbers; the files count from 1.
CLASSES = ("spsw", "gped", "pled", "eyem", "artf", "bckg")
EVENT_S = 1.0
TOLERANCE_S = 2.5e-3  # half a sample at 200 Hz
TREE = "{train,eval}/**/*.edf with a .rec file beside each"


class EventsRecording(TUHRecording):
    """One EDF file, and its `.rec` file with rows of channel, start, end, label."""

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return trials with label (0 to 5), class and channel (number in the file), by time.

        Each row is an event: one labelled on several channels is there as often. Events that do
        not last a second are left out and counted in the log (they break the published pipeline).
        """
        rows = [self._row(*line) for line in read_rec(self.path.with_suffix(".rec"))]
        seconds = [row for row in rows if abs(row["duration_s"] - EVENT_S) <= TOLERANCE_S]
        if len(seconds) < len(rows):
            count = len(rows) - len(seconds)
            logger.warning("%s: %d events do not last 1 s and are left out", self.path, count)
        seconds.sort(key=lambda row: row["start_s"])
        return frame(seconds, ("label", "class", "channel"))

    @staticmethod
    def _row(channel: int, start_s: float, end_s: float, label: int) -> dict:
        row = {"kind": "trial", "start_s": start_s, "duration_s": end_s - start_s}
        return {**row, "label": label - 1, "class": CLASSES[label - 1], "channel": channel}


def read_rec(path: Path) -> list[tuple[int, float, float, int]]:
    """Read channel, start and end in seconds, and label from 1, of each row of a `.rec` file.

    Raises:
        RecordingError: no such file, or a row that is none.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecordingError(path, "no such file", "put it beside the EDF file") from None
    entries = []
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if not row:
            continue
        try:
            channel, start_s, end_s, label = row
            entry = int(float(channel)), float(start_s), float(end_s), int(float(label))
        except ValueError:
            entry = (0, 0.0, 0.0, 0)  # no label: refused below, with the same message
        if not 1 <= entry[3] <= len(CLASSES):
            raise RecordingError(
                path,
                f"line {number} is {','.join(row)!r}, not channel,start,end,label with a label of "
                f"1 to {len(CLASSES)}",
                "fetch it again",
            )
        entries.append(entry)
    return entries


@STUDIES.register("tuev")
class TUEV(TUHCorpus):
    """Spikes, periodic discharges, eye movements, artefacts (Harati, 2015; v2.0.0), 23 electrodes.

    Files are `<root>/tuev/{train,eval}/**/*.edf` with a `.rec` file beside each. The official part
    is the `session` of a recording, so `split.fixed={test: {session: [eval]}}` is the published
    test set. The subject is the file's name up to the first underscore in `train`, the folder in
    `eval`, whose files are named by their event. Windows as published: `dset=tuev`.
    """

    name = "tuev"

    def recordings(self) -> Sequence[EventsRecording]:
        """Return train before eval, files in order of their paths.

        Raises:
            UserError: none is there.
        """
        return self.present(self._find, self.missing(TREE))

    def _find(self) -> list[EventsRecording]:
        recordings = []
        for part in PARTS:
            for subject, path in self.files_of(part, "**/*.edf"):
                if part == "eval" and path.parent.name != part:
                    subject = f"eval{path.parent.name}"
                identity = RecordingId(self.name, subject, part, path.stem)
                beside = (path.with_suffix(".rec"),)
                recordings.append(EventsRecording(identity, path, READING, beside))
        return recordings

"""Study `eegmat`: EEG at rest and during mental arithmetic, PhysioNet, 36 people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.recording import FailedRecording, Recording, RecordingId
from ..errors import RecordingError
from ..readers.event_table import frame, read_table
from ..readers.file_recording import FileRecording
from ..readers.raw import Reading
from . import STUDIES
from .base import Study

if TYPE_CHECKING:
    import mne
    import pandas as pd

#: Class numbers: files `_1` are rest before the task, `_2` serial subtraction.
CLASSES = ("rest", "arithmetic")
FILE = re.compile(r"^(Subject\d{2})_([12])\.edf$")
INFO = "subject-info.csv"
#: Column of subject-info.csv -> column of the events.
COLUMNS = {
    "Age": "age",
    "Gender": "sex",
    "Number of subtractions": "subtractions",
    "Count quality": "quality",
}
#: `EEG A2-A1` is the difference of the earlobes, no place on the head.
READING = Reading(types={"*A2-A1": "misc", "*ECG*": "ecg"}, montage="standard_1005")


class ArithmeticRecording(FileRecording):
    """One EDF file, one state: one event of kind `block` over the whole recording."""

    columns: Mapping[str, Any] = {}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return a block: label (0 rest, 1 arithmetic), class, quality, subtractions, age, sex."""
        state = int(self.id.run) - 1
        whole = raw.n_times / float(raw.info["sfreq"])
        row = {"kind": "block", "start_s": 0.0, "duration_s": whole, "label": state}
        return frame([{**row, "class": CLASSES[state], **self.columns}])


@STUDIES.register("eegmat")
class EegMat(Study):
    """Rest against mental arithmetic, 19 electrodes at 500 Hz (Zyma et al., Data 4(1):14, 2019).

    Files are `<root>/eegmat/Subject00_1.edf` (rest) and `_2.edf` (task) with `subject-info.csv`,
    as in https://physionet.org/content/eegmat/1.0.0/. Rest lasts three times as long as the task:
    judge by balanced accuracy. Both files of a person stay together with `split.key=subject`.
    For good against poor counters set `segment.label=quality`. People are numbered from 0 to 35.
    """

    name = "eegmat"
    subject_type = int

    def recordings(self) -> Sequence[Recording]:
        """Return people in order, rest before task.

        Raises:
            UserError: none is there.
            RecordingError: no `subject-info.csv`.
        """
        paths = self.present(
            self._paths,
            f"no such recording in {self.folder}; fetch the files from "
            "https://physionet.org/content/eegmat/1.0.0/ or set paths.studies (BM_DATA)",
        )
        people = read_people(self.folder / INFO)
        return [self._listed(path, people) for path in paths]

    def _paths(self) -> list[Path]:
        paths = [p for p in sorted(self.folder.glob("Subject*.edf")) if FILE.match(p.name)]
        return [path for path in paths if self.includes(path.name[7:9])]

    def _listed(self, path: Path, people: Mapping[str, Any]) -> Recording:
        subject, number = path.stem.split("_")
        identity = RecordingId(self.name, subject, "0", number)
        if subject not in people:
            reason = f"{subject} has no line in {INFO}"
            return FailedRecording(identity, RecordingError(path, reason, "add it"))
        recording = ArithmeticRecording(identity, path, READING, (path.parent / INFO,))
        recording.columns = people[subject]
        return recording


def read_people(path: Path) -> dict[str, dict[str, Any]]:
    """Read who took part: person -> age, sex, subtractions in four minutes, and quality.

    Quality is 0 of poor and 1 of good counters, as the authors divide them.
    """
    table = read_table(path)
    missing = [name for name in ("Subject", *COLUMNS) if name not in table]
    if missing:
        raise RecordingError(path, f"no column {missing[0]!r}", "fetch it again")
    rows = table.rename(columns=COLUMNS).to_dict("records")
    return {row["Subject"]: {name: row[name] for name in COLUMNS.values()} for row in rows}

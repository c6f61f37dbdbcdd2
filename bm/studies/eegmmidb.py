"""Study `eegmmidb`: EEG Motor Movement/Imagery of PhysioNet, 109 people, 14 runs each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.raw import Reading
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    import mne
    import pandas as pd
    from typing_extensions import Unpack

#: Class numbers; `rest` exists only when it is asked for.
CLASSES = ("left", "right", "both_fists", "both_feet", "rest")
#: What the annotations T1 and T2 mean, by run, as the page of PhysioNet eegmmidb 1.0.0 lists it.
MEANINGS = {
    **{run: ("left", "right") for run in (3, 4, 7, 8, 11, 12)},
    **{run: ("both_fists", "both_feet") for run in (5, 6, 9, 10, 13, 14)},
}
EXECUTED, IMAGINED = (3, 5, 7, 9, 11, 13), (4, 6, 8, 10, 12, 14)
BASELINES = {1: "eyes_open", 2: "eyes_closed"}
RUNS = {"imagined": IMAGINED, "executed": EXECUTED, "both": (*EXECUTED, *IMAGINED)}
FILE = re.compile(r"^(S\d{3})R(\d{2})\.edf$")


class MovementRecording(FileRecording):
    """One run: trials from the annotations T0 (rest), T1, T2 and the number of the run."""

    rest = False

    def options(self) -> dict[str, Any]:
        """Return whether rest is a class."""
        return {"rest": self.rest}

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return trials with label, class, imagined; runs 1 and 2 are one block each."""
        run = int(self.id.run)
        if run in BASELINES:
            whole = raw.n_times / float(raw.info["sfreq"])
            row = {"kind": "block", "start_s": 0.0, "duration_s": whole, "label": run - 1}
            return frame([{**row, "class": BASELINES[run], "imagined": False}])
        meaning = dict(zip(("T1", "T2"), MEANINGS[run], strict=True))
        if self.rest:
            meaning["T0"] = "rest"
        notes = raw.annotations
        rows = []
        for onset, duration, text in zip(
            notes.onset, notes.duration, notes.description, strict=True
        ):
            if text in meaning:
                name = meaning[str(text)]
                row = {"kind": "trial", "start_s": float(onset), "duration_s": float(duration)}
                row |= {"label": CLASSES.index(name), "class": name, "imagined": run in IMAGINED}
                rows.append(row)
        # Every run of a task has both: a file without was cut or stripped of its annotations.
        if not rows:
            raise RecordingError(self.path, "no annotation T1 or T2", "fetch the file again")
        return frame(rows)


@STUDIES.register("eegmmidb")
class EegMmidb(Study):
    """Motor execution and imagery, 64 channels at 160 Hz (Schalk et al., IEEE TBME 51, 2004).

    Files are `<root>/eegmmidb/S001/S001R04.edf` as PhysioNet names them
    (https://physionet.org/content/eegmmidb/1.0.0/). Trials are events of kind `trial` with the
    classes left, right, both_fists, both_feet (0 to 3), of about 4.1 s. People 88, 92 and 100 were
    recorded at 128 Hz with other trial lengths: leave them out by `subjects`, or resample.
    Left and right share their runs, fists and feet theirs: with trials of a run in train and test,
    what differs between runs helps to tell the pairs apart. `split.key=recording` keeps it out.

    Args:
        movement: imagined, executed or both.
        rest: the pauses (T0) are a fifth class.
        baselines: runs 1 and 2 too (eyes open, closed), as events of kind `block`.
        runs: numbers; None = all of `movement`.
        options: see `Study`; people are numbered from 1 to 109.
    """

    name = "eegmmidb"
    subject_type = int

    def __init__(
        self,
        *,
        movement: str = "imagined",
        rest: bool = False,
        baselines: bool = False,
        runs: Sequence[int] | None = None,
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("movement", movement, RUNS)
        numbers = {*RUNS[movement], *(BASELINES if baselines else ())}
        strange = sorted({int(run) for run in runs or ()} - numbers)
        if strange:
            raise UserError(f"eegmmidb: run {strange[0]} is not {movement}; has {sorted(numbers)}")
        self.runs = numbers if runs is None else {int(run) for run in runs}
        self.rest = rest

    def recordings(self) -> Sequence[MovementRecording]:
        """Return people, then runs, in order of their numbers.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no such recording in {self.folder}; fetch the EDF files from "
            "https://physionet.org/content/eegmmidb/1.0.0/ or set paths.studies (BM_DATA)",
        )

    def _find(self) -> list[MovementRecording]:
        recordings = []
        for path in sorted(self.folder.glob("S*/S*R*.edf")):
            match = FILE.match(path.name)
            if match is None or int(match[2]) not in self.runs:
                continue
            if not self.includes(match[1][1:]):
                continue
            identity = RecordingId(self.name, match[1], "0", match[2])
            recording = MovementRecording(identity, path, Reading(montage="standard_1005"))
            recording.rest = self.rest
            recordings.append(recording)
        return recordings

"""Study `mobi`: EEG and joint angles while walking on a treadmill, eight people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import pandas as pd

from ..data.recording import RecordingId
from ..errors import RecordingError
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.raw import Reading
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

RATE_HZ = 100.0
EYES = ("TP9", "TP10", "FT9", "FT10")  # electrodes of the cap that were put at the eyes
#: Measured by goniometers (G) and predicted by the decoder (P); hip, knee, ankle, right and left.
JOINTS = ("GHR", "GKR", "GAR", "GHL", "GKL", "GAL", "PHR", "PKR", "PAR", "PHL", "PKL", "PAL")
DEGREES = 90.0  # that count as 1: LaBraM divides the angles by 90
FILES = ("eeg.txt", "joints.txt", "impedances-before.txt")
FOLDER = re.compile(r"^(SL\d+)-(T\d+)$")
STEP_S, HISTORY_S = 0.05, 2.0  # between windows, and their length, of LaBraM


@dataclass(frozen=True)
class Stretch:
    """A part of a session: seconds of the recording, from standing still at 0."""

    start_s: float
    stop_s: float


#: Two minutes of standing, fifteen of walking, five of walking while the EEG moves an avatar.
STRETCHES = {
    "walk": Stretch(120.0, 720.0),
    "walk_end": Stretch(720.0, 1020.0),
    "bci": Stretch(1020.0, 1320.0),
}


def read_numbers(path: Path, header: int) -> np.ndarray:
    """Read the numbers of a text file: (N, columns).

    Args:
        path: columns divided by tabs.
        header: lines of text before the numbers.

    Raises:
        RecordingError: no such file, or no table of numbers.
    """
    try:
        table = pd.read_csv(path, sep="\t", header=None, skiprows=header)
        # Lines end with a tab, which makes an empty column.
        numbers: np.ndarray = table.dropna(axis=1, how="all").to_numpy(float)
    except FileNotFoundError:
        raise RecordingError(path, "no such file", "fetch the session again") from None
    except (ValueError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise RecordingError(path, f"no table of numbers ({reason})", "fetch it again") from None
    return numbers


def read_names(path: Path) -> list[str]:
    """Read the names of the channels in their order, from the table of impedances.

    Raises:
        RecordingError: no such table.
    """
    names, inside = [], False
    for line in path.read_text("utf-8", errors="replace").splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if fields[0].startswith("Phys. Chn."):
            inside = True
        elif inside and fields[0].startswith("#") and fields[1] not in ("Ref", "Gnd"):
            names.append(fields[1])
    if not names:
        raise RecordingError(path, "no table `Phys. Chn.` of channel names", "fetch it again")
    return names


class WalkingRecording(FileRecording):
    """A stretch of one session, read from `eeg.txt` in microvolts."""

    stretch = Stretch(0.0, 0.0)

    def open(self) -> mne.io.BaseRaw:
        """Read the stretch in V.

        Raises:
            RecordingError: names and columns that do not go together, another rate than 100 Hz,
                or a recording that ends before the stretch does.
        """
        names = read_names(self.path.with_name(FILES[2]))
        rows = self._cut(read_numbers(self.path, 1), self.path)
        if rows.shape[1] != len(names) + 1:
            reason = f"{rows.shape[1] - 1} columns for {len(names)} names of impedances-before.txt"
            raise RecordingError(self.path, reason, "fetch the session again")
        kinds = ["eog" if name in EYES else "eeg" for name in names]
        info = mne.create_info(names, RATE_HZ, kinds)
        return mne.io.RawArray(1e-6 * rows[:, 1:].T, info, verbose="error")

    @property
    def part(self) -> str:
        """Return where the stretch is."""
        return f"{self.stretch.start_s}-{self.stretch.stop_s}"

    def _cut(self, rows: np.ndarray, path: Path) -> np.ndarray:
        """Return the rows (N, 1 + columns) of the stretch; the first column is the time."""
        step = float(np.median(np.diff(rows[:, 0]))) if len(rows) > 1 else np.nan
        if not abs(step * RATE_HZ - 1) < 0.01:
            raise RecordingError(path, f"a sample every {step:g} s, not 0.01", "fetch it again")
        first, last = (round(s * RATE_HZ) for s in (self.stretch.start_s, self.stretch.stop_s))
        if len(rows) < last:
            reason = f"{len(rows) / RATE_HZ:.0f} s, but {self.id.run} ends at {last / RATE_HZ:g} s"
            raise RecordingError(path, reason, "fetch the session again")
        return rows[first:last]

    def options(self) -> dict[str, Any]:
        """Return where the stretch is."""
        return vars(self.stretch)

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return a trial every 50 ms from 2 s on, with the angles there in units of 90 degrees.

        Columns are the joints in small letters.
        """
        path = self.path.with_name(FILES[1])
        rows = self._cut(read_numbers(path, 2), path)
        if rows.shape[1] != len(JOINTS) + 1:
            reason = f"{rows.shape[1] - 1} angles, not {len(JOINTS)}"
            raise RecordingError(path, reason, "fetch the session again")
        seconds = len(rows) / RATE_HZ
        times = np.arange(round(HISTORY_S / STEP_S), round(seconds / STEP_S)) * STEP_S
        trials = frame([{"kind": "trial", "start_s": t, "duration_s": 0.0} for t in times.tolist()])
        angles = rows[np.round(times * RATE_HZ).astype(int), 1:] / DEGREES
        return trials.assign(**{j.lower(): angles[:, i] for i, j in enumerate(JOINTS)})


@STUDIES.register("mobi")
class MoBI(Study):
    """Walking on a treadmill (He et al., Scientific Data 5:180074, 2018), 60 electrodes, 100 Hz.

    Folders are `<root>/mobi/SL01-T01` (person, session) with `eeg.txt` (time and 64 channels,
    microvolts), `joints.txt` (time and 12 angles in degrees: six of goniometers, six predicted by
    the decoder of the experiment) and `impedances-before.txt` (names of the channels). Four of the
    channels are at the eyes. A session is three recordings, whose `run` is walk (the first 10 min
    of walking), walk_end (the last 5 min) and bci (5 min under control of the decoder), so that
    `split.fixed={valid: {run: [walk_end]}, test: {run: [bci]}}` is the published split. Windows of
    2 s end where their angles are measured: `dset=mobi`.

    Neither the paper nor LaBraM's says the following, which is assumed here: the times
    of the three parts (standing until 2 min, walking until 17 min, then the decoder until 22 min),
    the moment of a window's angles (its end), and that T7 and T8 sat at FCz and AFz.

    Args:
        stretches: start and stop in seconds of walk, walk_end and bci, where they differ.
        moved: name in the files -> electrode where it sat.
        options: see `Study`; people are named SL01 to SL08.
    """

    name = "mobi"

    def __init__(
        self,
        *,
        stretches: dict[str, Sequence[float]] | None = None,
        moved: dict[str, str] | None = None,
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        others = {k: Stretch(*map(float, v)) for k, v in (stretches or {}).items()}
        self.stretches = {**STRETCHES, **others}
        rename = {"T7": "FCz", "T8": "AFz"} if moved is None else dict(moved)
        self.reading = Reading(rename=rename, exclude=EYES)

    def recordings(self) -> Sequence[WalkingRecording]:
        """Return people and sessions in order, parts in order of time.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no folder such as SL01-T01 in {self.folder}; fetch the sessions (He et al. 2018, "
            "figshare) and set paths.studies (BM_DATA) or the study's `path`",
        )

    def _find(self) -> list[WalkingRecording]:
        recordings = []
        for folder in sorted(self.folder.glob("SL*-T*")):
            match = FOLDER.match(folder.name)
            if match is None or not self.includes(match[1]):
                continue
            path, *beside = (folder / name for name in FILES)
            for run, stretch in self.stretches.items():
                identity = RecordingId(self.name, match[1], match[2], run)
                recording = WalkingRecording(identity, path, self.reading, tuple(beside))
                recording.stretch = stretch
                recordings.append(recording)
        return recordings

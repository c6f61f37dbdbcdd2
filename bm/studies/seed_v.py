"""Study `seed_v`: SEED-V, five emotions during film clips, 62 electrodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..data.recording import RecordingId
from ..errors import RecordingError
from ..readers.event_table import frame
from ..readers.file_recording import FileRecording
from ..readers.hidden import visible
from ..readers.raw import ENDINGS, Reading
from . import STUDIES
from .base import Study

if TYPE_CHECKING:
    import mne
    import pandas as pd

#: Class numbers, as the authors count them.
CLASSES = ("disgust", "fear", "sad", "neutral", "happy")
#: Session -> begins of its 15 clips in seconds of the recording, ends, and emotions; from the text
#: file that is distributed with the recordings.
TRIALS: dict[str, tuple[tuple[int, ...], ...]] = {
    "1": (
        (30, 132, 287, 555, 773, 982, 1271, 1628, 1730, 2025, 2227, 2435, 2667, 2932, 3204),
        (102, 228, 524, 742, 920, 1240, 1568, 1697, 1994, 2166, 2401, 2607, 2901, 3172, 3359),
        (4, 1, 3, 2, 0, 4, 1, 3, 2, 0, 4, 1, 3, 2, 0),
    ),
    "2": (
        (30, 299, 548, 646, 836, 1000, 1091, 1392, 1657, 1809, 1966, 2186, 2333, 2490, 2741),
        (267, 488, 614, 773, 967, 1059, 1331, 1622, 1777, 1908, 2153, 2302, 2428, 2709, 2817),
        (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
    ),
    "3": (
        (30, 353, 478, 674, 825, 908, 1200, 1346, 1451, 1711, 2055, 2307, 2457, 2726, 2888),
        (321, 418, 643, 764, 877, 1147, 1284, 1418, 1679, 1996, 2275, 2425, 2664, 2857, 3066),
        (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
    ),
}
N_CHANNELS = 62  # of the ESI NeuroScan cap; four more channels are at mastoids and eyes
FILE = re.compile(r"^(\d+)_([123])_(\d{8})")
#: Mastoids and eyes are recorded beside the 62 electrodes.
READING = Reading(
    types={"VEO": "eog", "HEO": "eog", "ECG": "ecg"}, exclude=("M1", "M2", "VEO", "HEO", "ECG")
)


class EmotionRecording(FileRecording):
    """A session of one person: 15 clips in one file."""

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Check the electrodes.

        Raises:
            RecordingError: not exactly 62.
        """
        count = len(raw.ch_names)
        if count != N_CHANNELS:
            raise RecordingError(
                self.path, f"{count} electrodes, not {N_CHANNELS}", "fetch it again"
            )

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return trials with label (0 to 4), class and trial (0 to 14).

        Raises:
            RecordingError: the recording ends before the last clip does.
        """
        begins, ends, labels = TRIALS[self.id.session]
        seconds = raw.n_times / float(raw.info["sfreq"])
        if seconds < ends[-1]:
            reason = f"{seconds:.0f} s, but session {self.id.session} lasts {ends[-1]} s"
            raise RecordingError(self.path, reason, "fetch it again")
        rows = []
        for trial, (begin, end, label) in enumerate(zip(begins, ends, labels, strict=True)):
            row = {"kind": "trial", "start_s": float(begin), "duration_s": float(end - begin)}
            rows.append({**row, "label": label, "class": CLASSES[label], "trial": trial})
        return frame(rows)


@STUDIES.register("seed_v")
class SeedV(Study):
    """Emotions during film clips (Liu et al., 2021), 62 electrodes at 1000 Hz, 16 people public.

    Files are `<root>/seed_v/EEG_raw/<subject>_<session>_<date>.cnt` as distributed by
    https://bcmi.sjtu.edu.cn/home/seed/seed-v.html on request; any format of MNE of that name is
    read. Clips begin and end at the published seconds, which are the same for all people; three
    clips of each emotion in a session. Clip number i is row i of the events, so the published
    split 5:5:5 is `split.fixed={train: {event_row: [0, 1, 2, 3, 4]}, ...}`: `dset=seed_v`. It
    gives 117,744 windows of 1 s; the paper of LaBraM has 148,080 of a set that is not public.
    The folder is searched with all below it; people are numbered.
    """

    name = "seed_v"
    subject_type = int

    def recordings(self) -> Sequence[EmotionRecording]:
        """Return people in order of their numbers, sessions in order.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no file such as EEG_raw/1_1_20180804.cnt in {self.folder}; ask for it at "
            "https://bcmi.sjtu.edu.cn/home/seed/ and set paths.studies (BM_DATA) or the study's "
            "`path`",
        )

    def _find(self) -> list[EmotionRecording]:
        files = []
        for path in visible(self.folder.rglob("*"), self.folder):
            match = FILE.match(path.name)
            if match is None or path.suffix.lower() not in ENDINGS:
                continue
            if self.includes(match[1]):
                files.append((int(match[1]), match[2], path))
        return [
            EmotionRecording(RecordingId(self.name, f"{number:02d}", session, "0"), path, READING)
            for number, session, path in sorted(files)  # by number: 2 before 12
        ]

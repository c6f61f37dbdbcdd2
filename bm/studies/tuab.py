"""Study `tuab`: TUH Abnormal EEG Corpus, normal against abnormal recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..data.recording import RecordingId
from ..readers.event_table import frame
from . import STUDIES
from .shared.tuh import PARTS, READING, TUHCorpus, TUHRecording

if TYPE_CHECKING:
    import mne
    import pandas as pd

CLASSES = ("normal", "abnormal")  # class numbers, and names of the folders
TREE = "{train,eval}/{abnormal,normal}/01_tcp_ar/*.edf"


class AbnormalRecording(TUHRecording):
    """One EDF file, which is normal or abnormal as a whole."""

    label = 0

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return one block over the recording, with label (0 normal, 1 abnormal), class."""
        whole = raw.n_times / float(raw.info["sfreq"])
        row = {"kind": "block", "start_s": 0.0, "duration_s": whole}
        return frame([{**row, "label": self.label, "class": CLASSES[self.label]}])


@STUDIES.register("tuab")
class TUAB(TUHCorpus):
    """Normal and abnormal clinical EEG (Lopez de Diego, 2017; v3.0.0), 23 electrodes.

    Files are `<root>/tuab/{train,eval}/{abnormal,normal}/01_tcp_ar/*.edf`. The official part is the
    `session` of a recording, so `split.fixed={test: {session: [eval]}}` is the published test set;
    the people of `train` are divided by the seed of the split, those with normal and abnormal
    recordings as one. Files without exactly the 23 electrodes are skipped, as published.
    """

    name = "tuab"

    def recordings(self) -> Sequence[AbnormalRecording]:
        """Return train before eval, normal before abnormal, files in order of their names.

        Raises:
            UserError: none is there.
        """
        return self.present(self._find, self.missing(TREE))

    def _find(self) -> list[AbnormalRecording]:
        recordings = []
        for part in PARTS:
            for label, word in enumerate(CLASSES):
                pattern = f"{word}/01_tcp_ar/**/*.edf"
                for subject, path in self.files_of(part, pattern):
                    # Names are subject_session_segment: the session is not the official part.
                    run = path.stem.partition("_")[2] or "0"
                    identity = RecordingId(self.name, subject, part, run)
                    recording = AbnormalRecording(identity, path, READING)
                    recording.label = label
                    recordings.append(recording)
        return recordings

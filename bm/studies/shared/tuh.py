"""What the corpora of Temple University Hospital share: channels, parts, and recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import RecordingError
from ...readers.file_recording import FileRecording
from ...readers.hidden import visible
from ...readers.raw import Reading
from ..base import Study

if TYPE_CHECKING:
    import mne

#: The 23 electrodes of LaBraM's pipelines for TUAB and TUEV, in order (Jiang et al., ICLR 2024).
ELECTRODES = (
    *("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8"),
    *("T3", "T4", "T5", "T6", "A1", "A2", "FZ", "CZ", "PZ", "T1", "T2"),
)
#: Channels that these pipelines drop where they are, before they count the others.
DROPPED = (
    *("PHOTIC-REF", "IBI", "BURSTS", "SUPPR", "EEG ROC-REF", "EEG LOC-REF", "EEG EKG1-REF"),
    *("EMG-REF", "EEG C3P-REF", "EEG C4P-REF", "EEG SP1-REF", "EEG SP2-REF", "EEG LUC-REF"),
    *("EEG RLC-REF", "EEG RESP1-REF", "EEG RESP2-REF", "EEG EKG-REF", "RESP ABDOMEN-REF"),
    *("ECG EKG-REF", "PULSE RATE", "EEG PG2-REF", "EEG PG1-REF"),
    *(f"EEG {n}-REF" for n in range(20, 129)),
)
#: Old names stay (T3, not T7): LaBraM has learned a vector for each of the two.
READING = Reading(exclude=DROPPED, rename={f"EEG {name}-REF": name for name in ELECTRODES})
PARTS = ("train", "eval")


class TUHRecording(FileRecording):
    """One EDF file, exactly the 23 electrodes against the common reference."""

    @property
    def person(self) -> str:
        """Return the person's id, which is the same in all corpora of the hospital."""
        return f"tuh/{self.id.subject}"

    def open(self) -> mne.io.BaseRaw:
        """Open the file with its electrodes in the published order.

        Raises:
            RecordingError: a missing or a further channel; such files are skipped, as published.
        """
        raw = super().open()
        names = [f"EEG {name}-REF" for name in ELECTRODES]
        missing = [name for name in names if name not in raw.ch_names]
        more = [name for name in raw.ch_names if name not in names]
        if missing or more:
            what = f"no channel {missing[0]}" if missing else f"also a channel {more[0]}"
            raise RecordingError(
                self.path,
                f"{what}: not the {len(names)} electrodes of the published pipeline",
                "it is left out there too",
            )
        return raw.pick(names, verbose="error")


class TUHCorpus(Study):
    """A corpus in the parts `train` and `eval`."""

    def files_of(self, part: str, pattern: str) -> list[tuple[str, Path]]:
        """Return subject and EDF file of the recordings below one part, sorted.

        The subject is the file's name up to the first underscore.

        Args:
            part: train or eval.
            pattern: of the files below it.
        """
        paths = visible((self.folder / part).glob(pattern), self.folder)
        pairs = [(path.stem.split("_")[0], path) for path in paths]
        return [pair for pair in pairs if self.includes(pair[0])]

    def missing(self, tree: str) -> str:
        """Return what to say of a corpus without recordings; `tree` says where they lie in it."""
        return (
            f"no recording in {self.folder} ({tree}); ask for the corpus at "
            "https://isip.piconepress.com/projects/tuh_eeg/ and set paths.studies (BM_DATA) or the "
            "study's `path`"
        )

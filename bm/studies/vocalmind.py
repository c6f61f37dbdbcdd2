"""Study `vocalmind`: Mandarin words and sentences that are spoken, mimed or imagined, in sEEG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np

from ..data.recording import RecordingId
from ..data.stretches import TRIAL_EDGE
from ..errors import RecordingError, UserError
from ..readers.event_table import check_events, frame
from ..readers.file_recording import FileRecording
from ..readers.raw import UNITS, Reading
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

TASKS = ("Vocalized", "Mimed", "Imagined")
ITEMS = ("Word", "Sentence")
#: `Vocalized_BuShi_1.npy`: how, what, and the how-manieth time.
FILE = re.compile(r"(?P<task>[A-Za-z]+)_(?P<item>.+)_(?P<repetition>\d+)\.npy$")
FETCH = "fetch the folder again, or leave the file out"


class UtteranceRecording(FileRecording):
    """All trials of a folder, one behind the other."""

    files: tuple[Path, ...]
    rate_hz: float
    unit: str

    def _shapes(self) -> tuple[int, int]:
        """Return samples and channels, which all trials share.

        Raises:
            RecordingError: a file that is no array of numbers, or of another size.
        """
        first: tuple[int, int] | None = None
        for path in self.files:
            try:
                shape, kind = _header(path)
            except Exception as error:
                reason = f"no array ({type(error).__name__})"
                raise RecordingError(path, reason, FETCH) from None
            if len(shape) != 2 or kind not in "fiu":
                raise RecordingError(path, f"{shape} of kind {kind}, not (time, channels)", FETCH)
            if first is not None and shape != first:
                reason = f"{shape}, but {self.files[0].name} is {first}"
                raise RecordingError(path, reason, "cut all trials to one length")
            first = shape
        assert first is not None
        return first

    def open(self) -> mne.io.BaseRaw:
        """Return the trials joined; an annotation marks each edge."""
        samples, channels = self._shapes()
        parts = [np.load(path, allow_pickle=False).T for path in self.files]
        info = mne.create_info([str(n + 1) for n in range(channels)], self.rate_hz, "seeg")
        values = np.concatenate(parts, axis=1).astype(float) * UNITS[self.unit]
        raw = mne.io.RawArray(values, info, verbose="error")
        # Trials are no neighbours in time: filters and resampling stop at these edges.
        edges = np.arange(1, len(parts)) * samples / self.rate_hz
        return raw.set_annotations(mne.Annotations(edges, 0.0, TRIAL_EDGE))

    def events(self) -> pd.DataFrame:
        """Return the trials; of the signal the sizes alone are read."""
        length = self._shapes()[0] / self.rate_hz
        table = self.read_events(None)
        return check_events(table, len(self.files) * length, self.path)

    def read_events(self, raw: mne.io.BaseRaw | None) -> pd.DataFrame:
        """Return trials with label (what is said), task and repetition."""
        length, rows = self._shapes()[0] / self.rate_hz, []
        for number, path in enumerate(self.files):
            match = FILE.match(path.name)
            assert match is not None
            row = {"kind": "trial", "start_s": number * length, "duration_s": length}
            more = {"bounded": True, "trial": number, "label": match["item"]}
            rows.append({**row, **more, "word": match["item"], "task": match["task"],
                         "repetition": int(match["repetition"])})  # fmt: skip
        return frame(rows, ("bounded", "trial", "label", "word", "task", "repetition"))

    def options(self) -> dict[str, Any]:
        """Return how the folder is read."""
        return {"rate_hz": self.rate_hz, "unit": self.unit, "files": [p.name for p in self.files]}


def _header(path: Path) -> tuple[tuple[int, ...], str]:
    # A memory map reads the header alone; a pickle, which could run code, is refused.
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return tuple(array.shape), array.dtype.kind


@STUDIES.register("vocalmind")
class VocalMind(Study):
    """Words and sentences of one person, vocalised, mimed and imagined.

    Reads the processed folders of the public data set (Sci Data 2025; see its page for the terms of
    reuse): `<root>/vocalmind/Processed_sEEG_Vocalized_Word/Vocalized_<word>_<number>.npy`, an array
    (time, channels) for each trial. Fetch and unpack them. The files hold neither rate nor unit.

    Args:
        rate_hz: of the files, which do not say it.
        tasks: Vocalized, Mimed, Imagined.
        item: Word or Sentence.
        unit: of the numbers.
        options: see `Study`.
    """

    name = "vocalmind"

    def __init__(
        self,
        *,
        rate_hz: float | None = None,
        tasks: Sequence[str] = ("Vocalized",),
        item: str = "Word",
        unit: str = "uV",
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        if rate_hz is None or not 0 < float(rate_hz) < 1e6:
            raise UserError(
                f"study vocalmind: rate_hz={rate_hz}: the files do not say their rate; give it "
                "as the page of the data set does"
            )
        for task in tasks:
            check_known("tasks of study vocalmind", task, TASKS)
        check_known("item of study vocalmind", item, ITEMS)
        check_known("unit", unit, UNITS)
        self.rate_hz, self.tasks, self.item, self.unit = float(rate_hz), tasks, item, unit

    def recordings(self) -> Sequence[UtteranceRecording]:
        """Return a recording for each task.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no Processed_sEEG_{self.tasks[0]}_{self.item}/*.npy in {self.folder}; fetch the data "
            "set VocalMind and set paths.studies (BM_DATA) or the study's `path`",
        )

    def _find(self) -> list[UtteranceRecording]:
        recordings = []
        for task in self.tasks:
            folder = self.folder / f"Processed_sEEG_{task}_{self.item}"
            files = [path for path in folder.glob("*.npy") if FILE.match(path.name)]
            if not files:
                continue
            # By number: in the order of names the 10th time comes before the 2nd.
            files.sort(key=_order)
            identity = RecordingId(self.name, "01", task, self.item, "seeg")
            recording = UtteranceRecording(
                identity, files[0], Reading(montage=None), tuple(files[1:])
            )
            recording.files, recording.rate_hz, recording.unit = (
                tuple(files), self.rate_hz, self.unit,
            )  # fmt: skip
            recordings.append(recording)
        return recordings


def _order(path: Path) -> tuple[str, str, int]:
    match = FILE.match(path.name)
    assert match is not None
    return match["task"], match["item"], int(match["repetition"])

"""Study `vocalmind`: Mandarin words and sentences that are spoken, mimed or imagined, in sEEG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.recording import RecordingId
from ..errors import UserError
from ..readers.raw import UNITS, Reading
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions
from .shared.utterances import UtteranceRecording

if TYPE_CHECKING:
    from typing_extensions import Unpack

TASKS = ("Vocalized", "Mimed", "Imagined")
ITEMS = ("Word", "Sentence")
#: `Vocalized_BuShi_1.npy`: how, what, and the how-manieth time.
FILE = re.compile(r"(?P<task>[A-Za-z]+)_(?P<item>.+)_(?P<repetition>\d+)\.npy$")


class SpokenRecording(UtteranceRecording):
    """All trials of a folder of the data set."""

    one_length = True
    columns = ("task", "repetition")

    def describe(self, path: Path) -> dict[str, Any]:
        """Return label (what is said), task and repetition."""
        match = FILE.match(path.name)
        assert match is not None
        item, task = match["item"], match["task"]
        return {"label": item, "word": item, "task": task, "repetition": int(match["repetition"])}


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

    def recordings(self) -> Sequence[SpokenRecording]:
        """Return a recording for each task.

        Raises:
            UserError: none is there.
        """
        return self.present(
            self._find,
            f"no Processed_sEEG_{self.tasks[0]}_{self.item}/*.npy in {self.folder}; fetch the data "
            "set VocalMind and set paths.studies (BM_DATA) or the study's `path`",
        )

    def _find(self) -> list[SpokenRecording]:
        recordings = []
        for task in self.tasks:
            folder = self.folder / f"Processed_sEEG_{task}_{self.item}"
            files = [path for path in folder.glob("*.npy") if FILE.match(path.name)]
            if not files:
                continue
            # By number: in the order of names the 10th time comes before the 2nd.
            files.sort(key=_order)
            identity = RecordingId(self.name, "01", task, self.item, "seeg")
            recording = SpokenRecording(identity, files[0], Reading(montage=None), tuple(files[1:]))
            recording.files, recording.rate_hz, recording.unit = (
                tuple(files), self.rate_hz, self.unit,
            )  # fmt: skip
            recordings.append(recording)
        return recordings


def _order(path: Path) -> tuple[str, str, int]:
    match = FILE.match(path.name)
    assert match is not None
    return match["task"], match["item"], int(match["repetition"])

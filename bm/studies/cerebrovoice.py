"""Study `cerebrovoice`: Mandarin and English words and digits read aloud, in sEEG of two people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.hidden import is_hidden
from ..readers.raw import UNITS, Reading
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions
from .shared.utterances import FETCH, UtteranceRecording

if TYPE_CHECKING:
    from typing_extensions import Unpack

SITE = "https://zenodo.org/records/13332808"
#: Folder of a person -> rate in Hz: the signal, and what the authors computed of it (high gamma
#: amplitude, low frequencies, both).
PARTS = {"SEEG": 1000.0, "HGA": 200.0, "LFS": 200.0, "BBS": 200.0}
SETS = ("cn", "en", "digit")
#: As the published examples are called (`sample_4_apple_en`, `Sample_9_1_DIGIT`), with `_seeg`
#: behind the names of computed features.
NAME = r"(?:sample_(?P<repetition>\d+)_)?(?P<item>.+?)_(?P<set>cn|en|digit)(?:_seeg)?"
EXAMPLES = "sample_4_apple_en.csv, sample_6_5_digit.csv"


class ReadAloud(UtteranceRecording):
    """All trials of a person."""

    columns = ("set", "repetition")
    pattern: re.Pattern[str]

    def describe(self, path: Path) -> dict[str, Any]:
        """Return label (what is said), set (cn, en, digit) and number, as far as they are told."""
        match = self.pattern.fullmatch(path.stem)
        assert match is not None
        groups = match.groupdict()
        item, number = groups["item"].lower(), groups.get("repetition")
        return {"label": item, "word": item, "set": (groups.get("set") or "").lower(),
                "repetition": -1 if number is None else int(number)}  # fmt: skip

    def options(self) -> dict[str, Any]:
        """Return how the folder and the names of its files are read."""
        return {**super().options(), "pattern": self.pattern.pattern}

    def shape_of(self, path: Path) -> tuple[int, int]:
        """Return samples and channels; of a table the first line and the number of lines."""
        if path.suffix != ".csv":
            return super().shape_of(path)
        with path.open("rb") as lines:
            samples = lines.readline().count(b",")
            channels = sum(1 for line in lines if line.strip())
        if samples < 2 or not channels:
            reason = f"{channels} lines of {samples} numbers, not a line for each channel"
            raise RecordingError(path, reason, FETCH)
        return samples, channels

    def values_of(self, path: Path) -> np.ndarray:
        """Return the signal of a trial (C, T).

        Raises:
            RecordingError: cells that are no numbers.
        """
        if path.suffix != ".csv":
            return super().values_of(path)
        try:
            return pd.read_csv(path).to_numpy()[:, 1:].astype(float)  # the first tells the channel
        except Exception as error:
            reason = f"no table of numbers ({type(error).__name__})"
            raise RecordingError(path, reason, FETCH) from None

    def names(self, channels: int) -> list[str]:
        """Return the first column of the first table, unless it only counts."""
        if self.files[0].suffix == ".csv":
            names = pd.read_csv(self.files[0], usecols=[0]).iloc[:, 0].astype(str).tolist()
            if not all(name.isdigit() for name in names) and len(set(names)) == channels:
                return names
        return super().names(channels)


@STUDIES.register("cerebrovoice")
class CerebroVoice(Study):
    """30 Mandarin words, their 30 English ones and ten digits, read aloud by two people.

    Reads the published folders `<root>/cerebrovoice/CerebroVoice/Subject1/{SEEG,BBS,HGA,LFS}/`: a
    file for each trial, a table (channels, 1 + time) at 1,000 Hz in SEEG, an array (time, features)
    at 200 Hz in the others. Fetch them from https://zenodo.org/records/13332808, whose page has the
    terms of reuse, and unpack them. Neither unit nor names of files are described: names are
    expected as those of the published examples (`sample_4_apple_en`), others are read by `pattern`.

    Args:
        part: SEEG (the signal), or HGA, LFS, BBS (features computed of it by the authors).
        sets: cn, en, digit; needs a group `set` of `pattern`.
        pattern: expression for the name of a file without its ending, with a group `item` (the
            label) and, if told, `set` and `repetition`; capitals and small letters are one.
        unit: of the numbers.
        options: see `Study`; people are named 1 and 2.
    """

    name = "cerebrovoice"
    subject_type = int
    subfolder = "CerebroVoice"

    def __init__(
        self,
        *,
        part: str = "SEEG",
        sets: Sequence[str] = SETS,
        pattern: str = NAME,
        unit: str = "uV",
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("part of study cerebrovoice", part, PARTS)
        for one in sets:
            check_known("sets of study cerebrovoice", one, SETS)
        check_known("unit", unit, UNITS)
        self.part, self.sets, self.unit, self.pattern = part, tuple(sets), unit, _compiled(pattern)

    def recordings(self) -> Sequence[ReadAloud]:
        """Return a recording for each person.

        Raises:
            UserError: none is there, or a name of a file tells no item.
        """
        return self.present(
            self._find,
            f"no Subject1/{self.part}/*{self._suffix()} in {self.folder} with sets "
            f"{', '.join(self.sets)}; fetch it from {SITE} and set paths.studies (BM_DATA) or the "
            "study's `path`",
        )

    def _suffix(self) -> str:
        return ".csv" if self.part == "SEEG" else ".npy"

    def _find(self) -> list[ReadAloud]:
        recordings = []
        for folder in sorted(self.folder.glob("Subject*")):
            person = folder.name.removeprefix("Subject")
            if not person.isdigit() or not self.includes(person):
                continue
            files = self._trials(folder / self.part)
            if not files:
                continue
            identity = RecordingId(self.name, person, "0", self.part, "seeg")
            recording = ReadAloud(identity, files[0], Reading(montage=None), files[1:])
            recording.files, recording.pattern = files, self.pattern
            recording.rate_hz, recording.unit = PARTS[self.part], self.unit
            recordings.append(recording)
        return recordings

    def _trials(self, folder: Path) -> tuple[Path, ...]:
        """Return the files of a folder in order of item and number.

        Raises:
            UserError: a name that the pattern does not fit.
        """
        trials = []
        for path in folder.glob(f"*{self._suffix()}"):
            if is_hidden(path.name):
                continue
            match = self.pattern.fullmatch(path.stem)
            if match is None:
                raise UserError(
                    f"study cerebrovoice: {path}: its name tells no word (expected: {EXAMPLES}); "
                    f"give `pattern` with a group (?P<item>...); it is {self.pattern.pattern}"
                )
            groups = match.groupdict()
            told = groups.get("set")
            if told is None or told.lower() in self.sets:
                number = int(groups.get("repetition") or 0)
                trials.append((groups["item"].lower(), number, path.name, path))
        return tuple(path for *_, path in sorted(trials))


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile the expression of names; raise `UserError` for a wrong one."""
    try:
        expression = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise UserError(f"study cerebrovoice: pattern={pattern}: {error}") from None
    if "item" not in expression.groupindex:
        raise UserError(f"study cerebrovoice: pattern={pattern}: it has no group (?P<item>...)")
    return expression

"""Study `duin`: 61 spoken words in depth electrodes of 12 people (Zheng et al., NeurIPS 2024)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.recording import FailedRecording, Recording, RecordingId
from ...errors import RecordingError, UserError, there_is
from ...readers.hidden import visible
from ...registry import check_known
from .. import STUDIES
from ..base import Study, StudyOptions
from .contacts import SELECTED
from .recordings import ClipRecording, WordOptions, WordRun, natural
from .trials import SIGNALS, read_channels
from .words import WORDS

if TYPE_CHECKING:
    from typing_extensions import Unpack

SITE = "the data set liulab-repository/Du-IN (CC BY 4.0)"
#: Folder of a run's files, and of clips; both name how the signal was made.
TASK, CLIPS = "word-recitation", "pretrain"
KIND = "dataset.{reference}.default.{alignment}"
CLIP_KIND = re.compile(r"dataset\.default\.(?P<rate>\d+)hz$")
ALIGNMENTS = ("unaligned", "aligned")
PARTS = ("words", "clips")
CLIPS_TOGETHER = 64  # clips of one recording: 64 x 4 s x 110 contacts in float64 are 225 MB
#: Row of a clip's array by `signal`; None = the mean of both.
ROWS = {"differences": 0, "sums": 1, "contacts": None}


@STUDIES.register("duin")
class Duin(Study):
    """Words read aloud, ten contacts a person of 72 to 158, 1000 Hz, 50 trials a word.

    Files are `<root>/duin/seeg.he2023xuanwu/<person>/word-recitation/<run>/
    dataset.bipolar.default.unaligned/{data,info}` and, for pre-training, `<person>/pretrain/
    dataset.default.1000hz/**/*.npy` with `info` (or `info.json`, as `scripts.cut_clips` writes).
    Pickles are read as plain data: a file that names any type but arrays and dictionaries of
    attributes is refused. Runs are taken in the order of their names, 2 before 10, whatever the
    file system lists. A run without one of its files is listed and left out.

    Args:
        part: `words`, the task, or `clips`, recordings without a task.
        channels: `published`: the ten of each person; null = all; names; or names by person.
        words: labels that may occur: `published`, the 61 in Mandarin or English; null = any; names.
        signal: `differences` of neighbours (X_s), `sums` (X_n, which the public files lack), or
            `contacts`, half of both together.
        alignment: unaligned, as published, or aligned (to the voice).
        reference: of the files that are read.
        rate_hz: of the clips.
        trial_s: seconds of a trial that are used, from its first sample on.
        records: further names of dictionaries of attributes in the pickles.
        options: see `Study`; people are named 001 to 012.
    """

    name = "duin"
    subfolder = "seeg.he2023xuanwu"

    def __init__(
        self,
        *,
        part: str = "words",
        channels: str | Sequence[str] | Mapping[str, Sequence[str]] | None = "published",
        words: str | Sequence[str] | None = "published",
        signal: str = "differences",
        alignment: str = "unaligned",
        reference: str = "bipolar",
        rate_hz: int = 1000,
        trial_s: float = 3.0,
        records: Sequence[str] = (),
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("part of study duin", part, PARTS)
        check_known("signal of study duin", signal, SIGNALS)
        check_known("alignment of study duin", alignment, ALIGNMENTS)
        if isinstance(words, str):
            check_known("words of study duin", words, ("published",))
        if isinstance(channels, str):
            check_known("channels of study duin", channels, ("published",))
        if not 0 < float(trial_s) < 1e4:
            raise UserError(f"study duin: trial_s={trial_s}; use seconds")
        self.part, self.channels, self.rate_hz = part, channels, int(rate_hz)
        self.kind = KIND.format(reference=reference, alignment=alignment)
        names = tuple(WORDS) if words == "published" else words
        self.word_options = WordOptions(
            signal, None, None if names is None else tuple(names), float(trial_s), tuple(records)
        )

    def recordings(self) -> Sequence[Recording]:
        """Return people by name, runs in order; with `part=clips` stretches of clips.

        Raises:
            UserError: nobody is there, two runs of one name, or a person without clips.
        """
        people = self.present(self._people_there, f"no person's folder in {self.folder}; {SITE}, "
                              "or set the study's `path`")  # fmt: skip
        find = self._runs if self.part == "words" else self._clips
        return [recording for person in people for recording in find(person)]

    def _people_there(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        paths = visible(self.folder.iterdir(), self.folder)
        people = [p for p in paths if (p / TASK).is_dir() or (p / CLIPS).is_dir()]
        return [p.name for p in sorted(people, key=natural) if self.includes(p.name)]

    def selection(self, person: str) -> tuple[str, ...] | None:
        """Return the channels of a person, None = all.

        Raises:
            UserError: nothing was published, or is given, for this person.
        """
        if self.channels is None:
            return None
        if isinstance(self.channels, str | Mapping):
            by_person = SELECTED if isinstance(self.channels, str) else self.channels
            if person not in by_person:
                raise UserError(
                    f"study duin: `channels` has none for person {person}; "
                    f"{there_is(by_person, person)}; give names, or null for all"
                )
            return tuple(by_person[person])
        return tuple(self.channels)

    # the task -----------------------------------------------------------------------------

    def _runs(self, person: str) -> Iterator[Recording]:
        paths = (self.folder / person / TASK).glob("**/dataset.*.default.*")
        folders = sorted(visible(paths, self.folder), key=natural)
        runs: dict[Path, list[str]] = {}
        for folder in folders:
            runs.setdefault(folder.parent, []).append(folder.name)
        first: dict[str, Path] = {}
        for run, kinds in runs.items():
            other = first.setdefault(run.name, run)
            if other != run:
                raise UserError(
                    f"study duin: {other} and {run} are two runs of one name; rename one"
                )
            yield self._run(person, run, kinds)
        if not runs:
            raise UserError(
                f"study duin: no run such as run1/{self.kind} in {self.folder / person / TASK}"
            )

    def _run(self, person: str, run: Path, kinds: Sequence[str]) -> Recording:
        identity = RecordingId(self.name, person, "0", run.name, "seeg")
        folder = run / self.kind
        if self.kind not in kinds:
            reason = f"no {self.kind}, but {', '.join(kinds)}: another reference or alignment"
            remedy = "use one for all runs: the study's `reference` and `alignment`"
            return FailedRecording(identity, RecordingError(run, reason, remedy))
        for name in ("data", "info"):
            if not (folder / name).is_file():
                error = RecordingError(folder, f"no file `{name}`", "fetch it again, or skip it")
                return FailedRecording(identity, error)
        options = {**vars(self.word_options), "channels": self.selection(person)}
        return WordRun.of(identity, folder, WordOptions(**options))

    # clips --------------------------------------------------------------------------------

    def _clips(self, person: str) -> Iterator[Recording]:
        folder = self.folder / person / CLIPS / f"dataset.default.{self.rate_hz}hz"
        files = sorted(visible(folder.glob("**/*.npy"), self.folder), key=natural)
        if not files:
            others = sorted(p.name for p in (self.folder / person / CLIPS).glob("dataset.*"))
            listed = f" (there is {', '.join(others)})" if others else ""
            raise UserError(
                f"study duin: person {person} has no pre-training clips: no .npy in {folder}"
                f"{listed}; the public files have none: make them of any recording by "
                "python -m scripts.cut_clips, or leave the person out by `subjects`"
            )
        values = {
            "channels": clip_channels(folder, self.word_options.records),
            "selection": self.selection(person),
            "row": ROWS[self.word_options.signal],
            "rate_hz": float(self.rate_hz),
        }
        by_folder: dict[Path, list[Path]] = {}
        for file in files:
            by_folder.setdefault(file.parent, []).append(file)
        for place, clips in by_folder.items():
            label = "-".join(place.relative_to(folder).parts) or "all"
            for number, first in enumerate(range(0, len(clips), CLIPS_TOGETHER)):
                identity = RecordingId(self.name, person, "clips", f"{label}-{number}", "seeg")
                before = clips[first - 1] if first else None
                yield ClipRecording.of(
                    identity, clips[first : first + CLIPS_TOGETHER], before, values
                )


def clip_channels(folder: Path, records: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the channels of a folder of clips.

    Raises:
        UserError: no `info.json` or `info` with them.
    """
    path = folder / "info.json"
    if not path.is_file():
        if not (folder / "info").is_file():
            raise UserError(f"study duin: no info.json or info with ch_names in {folder}")
        return read_channels(folder / "info", records)
    try:
        content: Any = json.loads(path.read_text("utf-8"))
        names = content["ch_names"]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("no names")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no JSON with a list `ch_names` ({error})") from None
    return tuple(names)

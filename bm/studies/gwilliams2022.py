"""Study `gwilliams2022`: MEG of people who hear four stories (MEG-MASC)."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..readers.download import fetch, one_at_a_time, unpack
from ..readers.edf import FETCH
from ..readers.event_table import read_table
from ..readers.raw import Reading
from . import STUDIES
from .base import Study, StudyOptions
from .shared.story import BlockRule, StoryRecording

if TYPE_CHECKING:
    import mne
    from typing_extensions import Unpack

SESSIONS, TASKS = (0, 1), (0, 1, 2, 3)
#: Stories by number of the task.
STORIES = ("lw1", "cable_spool_fort", "easy_money", "the_black_willow")
PROJECTS = ("ag3kj", "h2tzn", "u5327")
SITE = "https://files.osf.io/v1/resources/{}/providers/osfstorage/?zip="
#: KIT files as published, or FIF files that somebody made of them.
ENDINGS = (".con", ".sqd", ".fif")
#: Keys of an event's description that become columns.
COLUMNS = ("word", "sequence_id", "word_index", "phoneme", "phoneme_id", "condition", "story")


class _Numbers(ast.NodeTransformer):
    """Transformer of descriptions: `nan`, which is no literal, becomes None."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(None) if node.id == "nan" else node


def parse_description(text: str) -> dict[str, Any]:
    """Read an event's description, a dictionary as Python prints it, as literals; nothing is run.

    Raises:
        ValueError: no dictionary of literals.
    """
    try:
        tree = _Numbers().visit(ast.parse(text, mode="eval"))
        description = ast.literal_eval(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text[:60]!r} is no dictionary ({type(error).__name__})") from None
    if not isinstance(description, dict):
        raise ValueError(f"{text[:60]!r} is no dictionary")
    return description


def sound_name(name: str) -> str:
    """Return the file of a sound: in lower case, without the number before its ending.

    >>> sound_name("stimuli/audio/LW1_0.0.wav"), sound_name("stimuli/audio/lw1_1.wav")
    ('stimuli/audio/lw1_0.wav', 'stimuli/audio/lw1_1.wav')
    """
    parts = name.lower().rsplit(".", 2)
    return f"{parts[0]}.{parts[2]}" if len(parts) == 3 and parts[1].isdigit() else name.lower()


def read_descriptions(path: Path, folder: Path) -> pd.DataFrame:
    """Read the events of a BIDS table whose `trial_type` describes them.

    Args:
        path: `*_events.tsv`.
        folder: where the sounds are named from.

    Raises:
        RecordingError: no such table, or a description that is none.
    """
    # Written by pandas, which quotes descriptions that hold a quotation mark.
    table = read_table(path, quoted=True)
    missing = [name for name in ("onset", "duration", "trial_type") if name not in table]
    if missing:
        raise RecordingError(path, f"no column {missing[0]!r}", FETCH)
    rows = []
    for number, event in enumerate(table.to_dict("records")):
        try:
            description = parse_description(str(event["trial_type"]))
        except ValueError as error:
            raise RecordingError(path, f"event {number}: {error}", FETCH) from None
        kind = description.get("kind")
        if kind not in ("word", "phoneme", "sound"):
            continue  # breaks, lists of pseudo-words, questions
        row = {"kind": kind, "start_s": event["onset"], "duration_s": event["duration"]}
        row |= {name: v for name in COLUMNS if (v := description.get(name)) is not None}
        if kind == "sound":
            row["filepath"] = str(folder / sound_name(str(description["sound"])))
        rows.append({**row, "language": "en", "modality": "audio"})
    return pd.DataFrame(rows)


class StoriesRecording(StoryRecording):
    """One story of one session of a person."""

    table: Path = Path()
    folder: Path = Path()

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return words, phonemes and sounds.

        Raises:
            RecordingError: see `read_descriptions`; or there is no word.
        """
        events = read_descriptions(self.table, self.folder)
        if events.empty or not (events["kind"] == "word").any():
            raise RecordingError(self.table, "no word", FETCH)
        return events


@STUDIES.register("gwilliams2022")
class Gwilliams2022(Study):
    """MEG-MASC (Gwilliams et al., Scientific Data 10:862, 2023): two sessions of four stories.

    Files are `<root>/gwilliams2022/download/` with participants.tsv, sub-XX/ses-Y/meg/ (KIT files
    and tables of events) and stimuli/audio/, of the OSF projects ag3kj, h2tzn and u5327 (CC0);
    `download` fetches them.

    Args:
        min_block_s: see `story.BlockRule`.
        options: see `Study`; people are numbered, None = all of participants.tsv.
    """

    name = "gwilliams2022"
    subject_type = int
    subfolder = "download"

    def __init__(self, *, min_block_s: float | None = 6.0, **options: Unpack[StudyOptions]) -> None:
        super().__init__(**options)
        self.rule = BlockRule("sentence", min_block_s)

    def recordings(self) -> Sequence[StoriesRecording]:
        """Return people of participants.tsv, each with the sessions and stories that are there.

        Raises:
            UserError: none is there and none can be fetched.
        """
        if not (self.folder / "participants.tsv").is_file():
            self.download()
        table = read_table(self.folder / "participants.tsv")
        if "participant_id" not in table:
            path = self.folder / "participants.tsv"
            raise RecordingError(path, "no column 'participant_id'", FETCH)
        recordings = []
        for subject in sorted(table["participant_id"].astype(str)):
            number = subject.removeprefix("sub-")
            if self.subjects is None or (number.isdecimal() and self.includes(number)):
                places = [(s, t) for s in SESSIONS for t in TASKS]
                recordings += [r for s, t in places if (r := self._recording(subject, s, t))]
        if not recordings:
            raise UserError(
                f"study gwilliams2022: no sub-XX/ses-Y/meg/*_meg.con in {self.folder}; "
                f"fetch the OSF projects {', '.join(PROJECTS)}"
            )
        return recordings

    def _recording(self, subject: str, session: int, task: int) -> StoriesRecording | None:
        """Return the recording of a place, or None: some were never made."""
        stem = f"{subject}_ses-{session}_task-{task}"
        folder = self.folder / subject / f"ses-{session}" / "meg"
        paths = [folder / f"{stem}_meg{ending}" for ending in ENDINGS]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            return None
        run = f"story{task}"
        identity = RecordingId(self.name, subject, f"session{session}", run, kind="meg")
        table = folder / f"{stem}_events.tsv"
        # A source only where it is there: that it is not is an error of `events`.
        beside = (table,) if table.is_file() else ()
        recording = StoriesRecording(identity, path, Reading(montage=None), beside)
        recording.table, recording.folder, recording.rule = table, self.folder, self.rule
        return recording

    def download(self) -> None:
        """Fetch the three projects and unpack them into one folder.

        Raises:
            UserError: the server does not answer.
        """
        with one_at_a_time(self.folder):
            for project in PROJECTS:
                unpack(fetch(SITE.format(project), self.folder, f"{project}.zip"), self.folder)

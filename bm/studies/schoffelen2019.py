"""Study `schoffelen2019`: MEG of people who hear or read Dutch sentences and word lists (MOUS)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ..data.recording import RecordingId
from ..errors import RecordingError, UserError
from ..features.phonemes import SAMPA
from ..readers.alignment import match
from ..readers.edf import FETCH
from ..readers.hidden import visible
from ..readers.presentation import read_log
from ..readers.raw import Reading
from ..readers.textgrid import read_textgrid
from ..registry import check_known
from . import STUDIES
from .base import Study, StudyOptions
from .shared.story import BlockRule, StoryRecording

if TYPE_CHECKING:
    from typing_extensions import Unpack

RATE_HZ = 1200
SENSORS = 273  # of the CTF-275 helmet that all recordings have
#: Values of the trigger channel at a fixation cross and at a new context.
FIXATION, CONTEXT = 20, 10
TRIGGERS = "UPPT001"
#: People whose recordings are bad, and numbers that nobody has: code of Defossez et al. 2023.
BAD = (2011, 2036, 2062, 2063, 2076, 2084, 1006, 1014, 1090, 1115)
# fmt: off
MISSING = (
    1014, 1018, 1021, 1023, 1041, 1043, 1047, 1051, 1056, 1060, 1067, 1082, 1091, 1096, 1112,
    2012, 2018, 2022, 2023, 2026, 2043, 2044, 2045, 2048, 2054, 2060, 2074, 2081, 2082, 2087,
    2093, 2100, 2107, 2112, 2115, 2118, 2123,
)
# fmt: on
#: Name -> how people take in the stimuli, and the context that is used (None = both).
SELECTIONS: dict[str, tuple[str, str | None]] = {
    "audio_mous": ("audio", None),
    "audio_mous_wl": ("audio", "word_list"),
    "visual_mous": ("visual", None),
}
#: First letters of a sentence by which it is looked up in the list of stimuli.
PREFIX = 45
#: Codes of the log that are not words -> condition; ZINNEN and WOORDEN are Dutch for sentences
#: and words.
CONDITIONS = {
    "ZINNEN": "sentence",
    "WOORDEN": "word_list",
    "FIX": "fix",
    "QUESTION": "question",
    "Response": "response",
    "ISI": "isi",
    "blank": "blank",
    "PULSE MODE": "pulse",
    "pause": "pause",
}
CONTEXTS = ("sentence", "word_list")
SILENCES = ("", "<p:>")  # in the TextGrids of the aligner MAUS
START_FILE = re.compile(r"Start File\s+(\d+)\.wav", re.IGNORECASE)
ONSET = "audio onset"
RECIPE = (
    "register at https://data.donders.ru.nl, fetch collection DSC_3011020.09_236_v1 and put its "
    "sub-*, sourcedata and stimuli there; derivatives/phonemes (TextGrids) are the authors' to give"
)


def word_of(code: str) -> str:
    """Return the word of a code: without digits and blanks."""
    return re.sub(r"[\d\s]+", "", code)


def condition_of(code: str) -> str:
    """Return what a row of the log is: one of `CONDITIONS`, or `word`."""
    code = code.strip()
    for name, condition in CONDITIONS.items():
        if code == name or code.startswith(f"{name} "):
            return condition
    return "word" if word_of(code) else "blank"


def with_conditions(log: pd.DataFrame) -> pd.DataFrame:
    """Add condition, context (sentence or word_list) and block (number of the context) to a log."""
    log = log.copy()
    log["condition"] = [condition_of(code) for code in log["code"]]
    log.loc[log["event_type"] == "Response", "condition"] = "response"
    log.loc[log["event_type"] == "Pulse", "condition"] = "pulse"
    begins = log["condition"].isin(CONTEXTS)
    log["block"] = begins.cumsum()
    log["context"] = log["condition"].where(begins).ffill()
    return log


def people(modality: str) -> list[str]:
    """Return the names of the people whose recordings are used: A2002..., V1001..."""
    letter, numbers = ("A", range(2002, 2126)) if modality == "audio" else ("V", range(1001, 1118))
    return [f"{letter}{n}" for n in numbers if n not in BAD and n not in MISSING]


def read_stimuli(path: Path) -> dict[str, int]:
    """Read the list of stimuli: first letters of each sentence, in lower case -> its number.

    Raises:
        RecordingError: no such list.
    """
    try:
        lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise RecordingError(path, (error.strerror or str(error)).lower(), RECIPE) from None
    pairs = [line.strip().split(maxsplit=1) for line in lines]
    return {
        text.lower()[:PREFIX]: int(number)
        for number, text in (pair for pair in pairs if len(pair) == 2 and pair[0].isdigit())
    }


def heard_rows(log: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the log with each played file as a sound, its words and phonemes from the TextGrid.

    Raises:
        RecordingError: a file without its TextGrid, or a TextGrid without words.
    """
    number, rows = None, []
    for row in log.to_dict("records"):
        started = START_FILE.search(row["code"])
        if started:
            number = int(started[1])
            continue
        if row["code"].strip().lower() == ONSET and number is not None:
            rows += _played(row, f"EQ_Ramp_Int2_Int1LPF{number:03d}", folder)
            number = None
            continue
        if row["condition"] != "word":  # words that are heard come from TextGrids
            rows.append(row)
    if not any(row.get("kind") == "sound" for row in rows):
        raise RecordingError(folder, "the log plays no sound", "is it of somebody who reads?")
    return pd.DataFrame(rows)


def _played(row: dict[str, Any], stem: str, folder: Path) -> list[dict[str, Any]]:
    path = folder / "derivatives" / "phonemes" / f"{stem}.TextGrid"
    tiers, onset = read_textgrid(path), row["time"]
    if "ORT-MAU" not in tiers or "MAU" not in tiers:
        raise RecordingError(path, "no tiers ORT-MAU and MAU", RECIPE)
    shared = {"context": row["context"], "block": row["block"], "modality": "audio"}
    file = folder / "stimuli" / "audio_files" / f"{stem}.wav"
    length = max(part.stop_s for tier in tiers.values() for part in tier)
    rows = [{**shared, "kind": "sound", "time": onset, "duration": length, "filepath": str(file)}]
    words = [part for part in tiers["ORT-MAU"] if part.name not in SILENCES]
    if not words:
        raise RecordingError(path, "no word", RECIPE)
    for word in words:
        row = {"kind": "word", "time": onset + word.start_s, "word": word.name}
        rows.append({**shared, **row, "duration": word.stop_s - word.start_s})
    for part in tiers["MAU"]:
        if part.name in SILENCES:
            continue
        if part.name not in SAMPA:
            raise RecordingError(path, f"phoneme {part.name!r} is not known", RECIPE)
        # A phoneme begins after its word, also where both are rounded.
        row = {"kind": "phoneme", "time": onset + part.start_s + 1e-6, "phoneme": part.name}
        row |= {"phoneme_id": SAMPA.index(part.name), "duration": part.stop_s - part.start_s}
        rows.append({**shared, **row})
    return sorted(rows, key=lambda row: row["time"])


def read_rows(log: pd.DataFrame) -> pd.DataFrame:
    """Return the log with its pictures of words as words that are read."""
    log = log.copy()
    words = (log["condition"] == "word") & log["event_type"].eq("Picture")
    log["kind"] = words.map({True: "word", False: None})
    log["modality"] = "visual"
    log["word"] = [word_of(code) if word else None for code, word in zip(
        log["code"], words, strict=True)]  # fmt: skip
    return log


def add_sentences(log: pd.DataFrame, stimuli: dict[str, int], path: Path) -> pd.DataFrame:
    """Return the log with number, words and stimulus of what lies between two fixations.

    Raises:
        RecordingError: a sentence that is not in the list, after one that is.
    """
    log = log.reset_index(drop=True)
    log["sequence_id"] = (log.get("condition") == "fix").cumsum()
    for name in ("word_index", "word_sequence", "sequence_uid"):
        log[name] = pd.Series(None, index=log.index, dtype=object)
    uid, early = None, []
    for _, rows in log.groupby("sequence_id", sort=False):
        words = rows[rows["kind"] == "word"]
        if words.empty:
            continue
        text = " ".join(words["word"])
        number = stimuli.get(text.lower()[:PREFIX])
        if number is None and uid is not None:
            raise RecordingError(path, f"{text[:60]!r} is not in stimuli.txt", "check the list")
        if number is None:
            early.append(rows.index)
        uid = number
        log.loc[words.index, "word_index"] = list(range(len(words)))
        log.loc[rows.index, "word_sequence"] = text
        log.loc[rows.index, "sequence_uid"] = None if number is None else str(number)
    first = log["sequence_uid"].dropna()
    for index in early:  # the first sentences may be missing: they take the first number there is
        log.loc[index, "sequence_uid"] = first.iloc[0] if len(first) else "0"
    owner = log["word_index"].where(log["kind"] == "word").ffill()
    phones = log["kind"] == "phoneme"
    log.loc[phones, "word_index"] = owner[phones]
    return log


def on_meg_clock(
    log: pd.DataFrame, triggers: np.ndarray, values: np.ndarray, path: Path
) -> pd.DataFrame:
    """Return the log with `start_s` in the time of the recording.

    Fixations and new contexts are matched with triggers; what lies between two of them is shifted
    by the difference of the first; what comes after the last is dropped.

    Args:
        log: with `time` in s of its own clock, and `condition`.
        triggers: (n,) times in s.
        values: (n,) 20 or 10.
        path: of the recording, for messages.

    Raises:
        RecordingError: clocks that do not agree.
    """
    marks = log["condition"].map({"fix": FIXATION, **dict.fromkeys(CONTEXTS, CONTEXT)})
    places = np.flatnonzero(marks.notna())
    one, other = match(marks.iloc[places].astype(int).tolist(), values.astype(int).tolist())
    if len(one) < 2:
        raise RecordingError(path, f"{len(one)} of {len(places)} marks have a trigger", "skip it")
    anchors, times = places[one], triggers[other]
    logged = log["time"].to_numpy(float)
    agreement = float(spearmanr(logged[anchors], times).statistic)
    # The published threshold: marks that are matched wrongly agree less.
    if not agreement > 0.9999:
        raise RecordingError(path, f"log and triggers agree by {agreement:.4f} only", "skip it")
    last = np.maximum(np.searchsorted(anchors, np.arange(len(log)), "right") - 1, 0)
    log = log.assign(start_s=logged + (times - logged[anchors])[last])
    return log.iloc[: anchors[-1] + 1].reset_index(drop=True)


class MousRecording(StoryRecording):
    """One person, who hears or reads."""

    folder: Path = Path()
    log: Path = Path()
    modality = "audio"
    context: str | None = None

    def adjust(self, raw: mne.io.BaseRaw) -> None:
        """Pick the first 273 sensors.

        Raises:
            RecordingError: not 1200 Hz.
        """
        rate = float(raw.info["sfreq"])
        if rate != RATE_HZ:
            raise RecordingError(self.path, f"{rate:g} Hz, not {RATE_HZ}", FETCH)
        raw.pick(raw.ch_names[:SENSORS], verbose="error")

    def options(self) -> dict[str, Any]:
        """Return which events are used."""
        return {**super().options(), "modality": self.modality, "context": self.context}

    def triggers(self, raw: mne.io.BaseRaw) -> tuple[np.ndarray, np.ndarray]:
        """Return times (s) and values of fixations and contexts on the trigger channel."""
        names = [raw.ch_names[i] for i in mne.pick_types(raw.info, meg=False, stim=True)]
        if not names:
            raise RecordingError(self.path, "no trigger channel", FETCH)
        name = TRIGGERS if TRIGGERS in names else names[0]
        values = np.round(raw.get_data([name])[0]).astype(int)
        steps = np.flatnonzero(np.diff(values, prepend=0)) if len(values) else np.array([], int)
        steps = steps[np.isin(values[steps], (FIXATION, CONTEXT))]
        return steps / float(raw.info["sfreq"]), values[steps]

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return words, phonemes and sounds on the clock of the recording.

        Raises:
            RecordingError: see `read_log`, `heard_rows`, `add_sentences`, `on_meg_clock`; or
                the context that is selected has no event.
        """
        log = with_conditions(read_log(self.log))
        audio = self.modality == "audio"
        log = heard_rows(log, self.folder) if audio else read_rows(log)
        stimuli = read_stimuli(self.folder / "stimuli" / "stimuli.txt")
        log = add_sentences(log, stimuli, self.log)
        log = on_meg_clock(log, *self.triggers(raw), self.path)
        events = log[log["kind"].isin(("word", "phoneme", "sound"))]
        if self.context is not None:
            events = events[events["context"] == self.context]
        if events.empty:
            reason = f"no word of context {self.context}" if self.context else "no word"
            raise RecordingError(self.log, reason, "skip it")
        names = ("kind", "context", "word", "filepath", "sequence_id", "word_index", "phoneme",
                 "phoneme_id", "word_sequence", "sequence_uid", "start_s")  # fmt: skip
        events = events[[name for name in names if name in events]].assign(
            duration_s=events["duration"].fillna(0.0),
            condition=events["context"],
            language="nl",
            modality=self.modality,
        )
        return events.reset_index(drop=True)


@STUDIES.register("schoffelen2019")
class Schoffelen2019(Study):
    """MOUS (Schoffelen et al., Scientific Data 6:17, 2019): sentences and word lists, 1200 Hz.

    Files are `<root>/schoffelen2019/download/`: sub-A2002/meg/*.ds, sourcedata/meg_task (logs),
    stimuli and derivatives/phonemes. They need a registration, see `RECIPE`.

    Args:
        selection: audio_mous (they hear), audio_mous_wl (word lists only), visual_mous (they read).
        min_block_s: see `story.BlockRule`; as published, blocks are not joined.
        options: see `Study`; people are named A2002 or V1001, and so on, None = all that the
            published work uses.
    """

    name = "schoffelen2019"
    subfolder = "download"

    def __init__(
        self,
        *,
        selection: str = "audio_mous",
        min_block_s: float | None = None,
        **options: Unpack[StudyOptions],
    ) -> None:
        super().__init__(**options)
        check_known("selection", selection, SELECTIONS)
        self.modality, self.context = SELECTIONS[selection]
        self.rule = BlockRule("sentence_or_sound", min_block_s)

    def recordings(self) -> Sequence[MousRecording]:
        """Return people in order.

        Raises:
            UserError: none is there: what to fetch.
        """
        names = people(self.modality) if self.subjects is None else map(str, self.subjects)
        recordings = [r for name in names if (r := self._recording(name))]
        if not recordings:
            self.download()
        return recordings

    def _recording(self, name: str) -> MousRecording | None:
        paths = sorted(self.folder.glob(f"sub-{name}/meg/*.ds"))
        paths = [path for path in paths if "rest" not in path.name]
        if not paths:
            return None
        logs = visible((self.folder / "sourcedata" / "meg_task").glob(f"*{name}*"), self.folder)
        log = logs[-1] if logs else self.folder / "sourcedata" / "meg_task" / f"{name}.log"
        identity = RecordingId(self.name, f"sub-{name}", "0", self.modality, kind="meg")
        beside = tuple(p for p in (log, self.folder / "stimuli" / "stimuli.txt") if p.is_file())
        recording = MousRecording(identity, paths[-1], Reading(montage=None), beside)
        recording.folder, recording.log, recording.rule = self.folder, log, self.rule
        recording.modality, recording.context = self.modality, self.context
        return recording

    def download(self) -> None:
        """Refuse: the files need a registration.

        Raises:
            UserError: always, with what to do; no password is asked for.
        """
        example = "A2002" if self.modality == "audio" else "V1001"
        raise UserError(
            f"study schoffelen2019: no sub-{example}/meg/*.ds, ... in {self.folder}; {RECIPE}"
        )

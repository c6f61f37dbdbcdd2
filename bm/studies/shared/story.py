"""Recordings of people who listen to stories: their event tables, from words to blocks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import soundfile

from ...data.blocks import GROUPINGS, add_sequence_info, create_blocks, merge_blocks, with_blocks
from ...errors import RecordingError, UserError
from ...readers.event_table import check_events
from ...readers.file_recording import FileRecording
from ...registry import check_known

if TYPE_CHECKING:
    import mne

#: Columns that an event of a kind must have, as in the event table of Defossez et al. 2023.
REQUIRED: dict[str, tuple[str, ...]] = {
    "word": ("word", "word_index", "word_sequence", "modality", "language"),
    "phoneme": ("phoneme_id", "language"),
    "sound": ("filepath", "language"),
}
MODALITIES = ("audio", "visual")


@dataclass(frozen=True)
class BlockRule:
    """How blocks are made.

    Attributes:
        grouping: what begins a block, see `data.blocks.create_blocks`.
        minimum_s: neighbours are joined until they last longer; None = never.
    """

    grouping: str = "sentence"
    minimum_s: float | None = 6.0

    def __post_init__(self) -> None:
        check_known("grouping of blocks", self.grouping, GROUPINGS)
        if self.minimum_s is not None and self.minimum_s < 0:
            raise UserError(f"min_block_s={self.minimum_s}: use seconds, or null")


class StoryRecording(FileRecording):
    """A recording whose words, phonemes and sounds form a story.

    A study gives `read_events`; here sounds are completed, sequences numbered, and blocks made.
    """

    rule = BlockRule()

    def options(self) -> dict[str, Any]:
        """Return how blocks are made."""
        return {"blocks": vars(self.rule)}

    def events(self) -> pd.DataFrame:
        """Return checked events with their blocks, in order; blocks come before what they hold.

        Raises:
            RecordingError: see `event_table.check_events`, `complete_sounds` and `check_story`.
        """
        raw: mne.io.BaseRaw = self.open()
        duration = raw.n_times / float(raw.info["sfreq"])
        events = complete_sounds(self.read_events(raw), self.path)
        phones = events["kind"] == "phoneme"  # aligners let those of neighbouring words overlap
        ordered = events[phones].sort_values("start_s", kind="stable")
        events = pd.concat([events[~phones], ordered], ignore_index=True)
        events = check_events(events, duration, self.path)
        return with_story_blocks(events, self.rule, self.path)


def with_story_blocks(events: pd.DataFrame, rule: BlockRule, path: str | Path) -> pd.DataFrame:
    """Return events with numbered words and phonemes, and blocks made by a rule.

    Raises:
        RecordingError: see `check_story`, `data.blocks.create_blocks`.
    """
    try:
        events = number_phonemes(add_sequence_info(events))
        check_story(events, path)
        blocks = create_blocks(events, rule.grouping)
    except UserError as error:
        if isinstance(error, RecordingError):
            raise
        # A table that no blocks can be made of is a bad recording, not a mistake of the user's.
        raise RecordingError(path, str(error), "skip it") from None
    if rule.minimum_s is not None:
        blocks = merge_blocks(blocks, rule.minimum_s)
    return with_blocks(events, blocks)


def complete_sounds(events: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Give sounds an absolute path, an offset (0 when missing) and a duration within their file.

    A sound that began before the recording is cut at its first sample.

    Raises:
        RecordingError: a file that is not there or is no sound.
    """
    sounds = events["kind"] == "sound"
    if not sounds.any():
        return events
    events = events.copy()
    # Studies say where a sound begins in its file only if that is not its begin.
    if "offset" not in events:
        events["offset"] = np.nan
    events["duration_s"] = pd.to_numeric(events["duration_s"], errors="coerce").astype(float)
    for row in events.index[sounds]:
        file = Path(str(events.at[row, "filepath"])).absolute()
        offset = float(events.at[row, "offset"])
        offset = 0.0 if np.isnan(offset) else offset
        duration, available = float(events.at[row, "duration_s"]), sound_length(file, path) - offset
        unsaid = np.isnan(duration) or duration == 0
        duration = available if unsaid else min(duration, available)
        late = max(0.0, -float(events.at[row, "start_s"]))
        if duration - late <= 0:
            raise RecordingError(path, f"{file} ends before the recording begins", "skip it")
        events.at[row, "filepath"] = str(file)
        events.at[row, "start_s"] = float(events.at[row, "start_s"]) + late
        events.at[row, "offset"], events.at[row, "duration_s"] = offset + late, duration - late
    return events


def sound_length(file: Path, path: str | Path) -> float:
    """Return the seconds of a sound file; raise `RecordingError` of the recording at `path`."""
    if not file.is_file():
        raise RecordingError(path, f"its sound {file} is not there", "fetch the study's audio")
    try:
        info = soundfile.info(str(file))
    except soundfile.SoundFileError as error:
        raise RecordingError(path, f"its sound {file} is damaged ({error})", "fetch it") from None
    return float(info.frames / info.samplerate)


def number_phonemes(events: pd.DataFrame) -> pd.DataFrame:
    """Give phonemes the sequence and word they are in, and a `phoneme_id`, where missing.

    A phoneme is of the last word that begins before it; a missing id is its rank in the word.
    """
    rows = events["kind"] == "phoneme"
    if not rows.any():
        return events
    events = events.copy()
    words = events[events["kind"] == "word"].sort_values("start_s", kind="stable")
    starts = events.loc[rows, "start_s"].to_numpy(float)
    # A phoneme and its word begin together; times in text are rounded.
    owner = np.searchsorted(words["start_s"].to_numpy(float), starts + 1e-6, "right") - 1
    owner = words.index[np.maximum(owner, 0)]
    for name in ("sequence_id", "word_index"):
        if name in events:
            of_word = pd.Series(events.loc[owner, name].to_numpy(), index=events.index[rows])
            events.loc[rows, name] = events.loc[rows, name].where(
                events.loc[rows, name].notna(), of_word
            )
    if "phoneme_id" not in events:
        events["phoneme_id"] = np.nan
    ranks = pd.Series(owner, index=events.index[rows])
    ranks = ranks.groupby(ranks, sort=False).cumcount().astype(float)
    ids = pd.to_numeric(events.loc[rows, "phoneme_id"])
    events.loc[rows, "phoneme_id"] = ids.where(ids.notna(), ranks)
    return events


def check_story(events: pd.DataFrame, path: str | Path) -> None:
    """Check that every event has what its kind needs.

    Raises:
        RecordingError: the first one without, with its row.
    """
    for kind, names in REQUIRED.items():
        rows = events[events["kind"] == kind]
        for name in names if len(rows) else ():
            filled = rows[name].notna() if name in rows else pd.Series(False, index=rows.index)
            if not filled.all():
                row = filled.index[~filled.to_numpy()][0]
                raise RecordingError(path, f"event {row} ({kind}) has no {name}", "repair it")
    words = events[events["kind"] == "word"]
    if len(words) and not words["modality"].isin(MODALITIES).all():
        other = words["modality"][~words["modality"].isin(MODALITIES)].iloc[0]
        raise RecordingError(path, f"a word has the modality {other!r}", "use audio or visual")

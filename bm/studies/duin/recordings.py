"""Recordings of Du-IN's data set: runs of the word task, and stretches of clips without a task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np

from ...data.recording import RecordingId
from ...data.stretches import EDGE, TRIAL_EDGE
from ...errors import RecordingError, there_is
from ...readers.event_table import check_events, frame
from ...readers.file_recording import FileRecording
from ...readers.raw import Reading
from .contacts import rows_of
from .trials import FETCH, RATE_HZ, RunTrials, read_run
from .words import WORDS, word_of

if TYPE_CHECKING:
    import pandas as pd

#: Volts that stand for one of the files' numbers, which have no unit (z-scores as published): they
#: are microvolts here.
UNIT_V = 1e-6
GO_S = 0.5  # from the first sample to the cue to read aloud


@dataclass(frozen=True)
class WordOptions:
    """How runs are read; see the arguments of `bm.studies.duin.Duin`."""

    signal: str = "differences"
    channels: tuple[str, ...] | None = None
    words: tuple[str, ...] | None = tuple(WORDS)
    trial_s: float = 3.0
    records: tuple[str, ...] = ()


class WordRun(FileRecording):
    """One run: its trials one behind the other."""

    word_options: WordOptions

    @classmethod
    def of(cls, identity: RecordingId, folder: Path, options: WordOptions) -> WordRun:
        """Return the run of a folder with `data` and `info`."""
        reading = Reading(montage=None, unit=None)
        recording = cls(identity, folder / "data", reading, (folder / "info",))
        recording.word_options = options
        return recording

    def _run(self) -> RunTrials:
        return read_run(self.path.parent, self.word_options.signal, self.word_options.records)

    def open(self) -> mne.io.BaseRaw:
        """Return the first `trial_s` of all trials; an annotation marks each edge.

        Raises:
            RecordingError: a trial that is shorter, or a channel that is not there.
        """
        run, length = self._run(), round(self.word_options.trial_s * RATE_HZ)
        short = np.flatnonzero(run.lengths() < length)
        if len(short):
            raise RecordingError(
                self.path,
                f"trial {short[0] + 1} has {run.lengths()[short[0]]} samples, fewer than {length} "
                f"({len(short)} of {len(run.labels)} trials)",
                "shorten the study's `trial_s` and dset.segment.duration_s, or leave the run out",
            )
        rows = list(range(len(run.channels)))
        if self.word_options.channels is not None:
            try:
                rows = rows_of(run.channels, self.word_options.channels)
            except ValueError as error:
                raise RecordingError(
                    self.path.parent / "info", str(error), "change the study's `channels`"
                ) from None
        joined = np.concatenate([array[rows, :length] for array in run.arrays], axis=1)
        raw = raw_of([run.channels[row] for row in rows], joined, RATE_HZ)
        edges = np.arange(1, len(run.labels)) * length / RATE_HZ
        return raw.set_annotations(mne.Annotations(edges, 0.0, TRIAL_EDGE))

    def events(self) -> pd.DataFrame:
        """Return the trials in the order of the file."""
        table = self.read_events(None)
        return check_events(table, len(table) * self.word_options.trial_s, self.path)

    def read_events(self, raw: mne.io.BaseRaw | None) -> pd.DataFrame:
        """Return trials with label (the word as the file or the list of 61 has it) and `word`.

        Raises:
            RecordingError: a label that is none of the words.
        """
        length, rows = self.word_options.trial_s, []
        for number, name in enumerate(self._run().labels):
            label = self._label(number, name)
            row = {"kind": "trial", "start_s": number * length, "duration_s": length}
            more = {"bounded": True, "trial": number, "label": label}
            rows.append({**row, **more, "word": WORDS.get(label, label), "go_s": GO_S})
        return frame(rows, ("bounded", "trial", "label", "word", "go_s"))

    def _label(self, number: int, name: str) -> str:
        words = self.word_options.words
        if words is None:
            return name
        label = (word_of(name) if words == tuple(WORDS) else name) or ""
        if label not in words:
            hint = there_is([*words, *(WORDS.values() if words == tuple(WORDS) else ())], name)
            raise RecordingError(
                self.path,
                f"trial {number + 1}: {name!r} is none of the {len(words)} words ({hint})",
                "give the study's `words`: your list, or null for any",
            )
        return label

    def options(self) -> dict[str, Any]:
        """Return how the run is read."""
        return vars(self.word_options)


def raw_of(names: Sequence[str], values: np.ndarray, rate_hz: float) -> mne.io.BaseRaw:
    """Return samples (C, T) without a unit as a recording of depth electrodes."""
    info = mne.create_info(list(names), rate_hz, "seeg")
    return mne.io.RawArray(np.asarray(values, float) * UNIT_V, info, verbose="error")


def natural(path: Path) -> tuple[Any, ...]:
    """Return a key that sorts 2 before 10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return tuple(int(part) if part.isdigit() else part for part in parts)


class ClipRecording(FileRecording):
    """Some consecutive clips of a folder, joined.

    Where the next clip begins with the end of the one before, sample for sample, the recording
    goes on; elsewhere there is a join, which no window crosses.
    """

    clips: tuple[Path, ...]
    before: Path | None
    channels: tuple[str, ...]
    selection: tuple[str, ...] | None
    row: int | None
    rate_hz: float

    @classmethod
    def of(
        cls, identity: RecordingId, clips: Sequence[Path], before: Path | None, values: Mapping
    ) -> ClipRecording:
        """Return the recording of some clips; `values` are the other attributes."""
        reading = Reading(montage=None, unit=None)
        recording = cls(identity, clips[0], reading, tuple(clips[1:]))
        recording.clips, recording.before = tuple(clips), before
        for name, value in values.items():
            setattr(recording, name, value)
        return recording

    def _load(self, path: Path) -> np.ndarray:
        """Return the signal (C, T) of a clip.

        Raises:
            RecordingError: no array of that form, or X_n is asked for and absent.
        """
        try:
            # Unpickling can run code that a file holds: arrays of objects are refused.
            array = np.load(path, allow_pickle=False)
        except Exception as error:
            raise RecordingError(path, f"no array ({type(error).__name__})", FETCH) from None
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[1] != len(self.channels) or array.dtype.kind != "f":
            reason = f"{array.dtype} {array.shape}, not (2, {len(self.channels)}, time) floats"
            raise RecordingError(path, reason, FETCH)
        if self.row != 0 and len(array) < 2:
            remedy = "use the study's `signal: differences`, or clips with both signals"
            raise RecordingError(path, "holds no sums X_n", remedy)
        # Contact A1 is the mean of its pair's difference A1 - A2 and sum A1 + A2.
        values = array[self.row] if self.row is not None else array[:2].mean(0)
        return np.asarray(values)

    def open(self) -> mne.io.BaseRaw:
        """Return the clips joined, what they share once."""
        # Clips of 8 s overlap by 4 s: else two recordings, and so two splits, could share samples.
        last = None if self.before is None else self._load(self.before)
        parts: list[np.ndarray] = []
        joins, length = [], 0
        for path in self.clips:
            clip = self._load(path)
            shared = 0 if last is None else shared_samples(last, clip)
            if parts and not shared:
                joins.append(length / self.rate_hz)
            parts.append(clip[:, shared:])
            length += parts[-1].shape[1]
            last = clip
        values, names = np.concatenate(parts, axis=1), self.channels
        if self.selection is not None:
            try:
                values = values[rows_of(names, self.selection)]
            except ValueError as error:
                remedy = "change the study's `channels`"
                raise RecordingError(self.path, str(error), remedy) from None
            names = self.selection
        raw = raw_of(names, values, self.rate_hz)
        return raw.set_annotations(mne.Annotations(joins, 0.0, EDGE))

    def read_events(self, raw: mne.io.BaseRaw) -> pd.DataFrame:
        """Return one block over everything."""
        seconds = raw.n_times / float(raw.info["sfreq"])
        return frame([{"kind": "block", "start_s": 0.0, "duration_s": seconds}])

    def options(self) -> dict[str, Any]:
        """Return which signal and channels."""
        before = None if self.before is None else self.before.name
        return {"row": self.row, "selection": self.selection, "rate_hz": self.rate_hz,
                "before": before}  # fmt: skip


def shared_samples(one: np.ndarray, other: np.ndarray) -> int:
    """Return how many samples at the end of (C, T) are the first ones of another, 0 if none are.

    >>> x = np.arange(12.0).reshape(1, 12)
    >>> shared_samples(x[:, :8], x[:, 4:]), shared_samples(x, x + 100)
    (4, 0)
    """
    length = min(one.shape[1], other.shape[1])
    # One channel first: all of them are compared only where the other's first value recurs.
    starts = one.shape[1] - length + np.flatnonzero(one[0, -length:] == other[0, 0])
    for start in starts.tolist():
        count = one.shape[1] - start
        if np.array_equal(one[:, start:], other[:, :count]):
            return int(count)
    return 0

"""Events of a recording of unknown origin: from a table, a trigger channel, or annotations."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..data.recording import EVENT_KINDS
from ..data.segments import PUBLISHED
from ..data.stretches import WRITTEN, is_mark
from ..data.trial_copies import COLUMN
from ..errors import RecordingError, UserError, nearest
from ..registry import check_mapping
from .array_names import split_named
from .event_table import clean_events, frame, read_table, spelled
from .sample_table import label_column

logger = logging.getLogger(__name__)
SOURCES = ("auto", "tsv", "annotations", "stim", "none")
STIM_RULES = ("changes", "rising")
LABEL_COLUMNS = ("label", "trial_type", "value", "description")
RENAMED = {"onset": "start_s", "duration": "duration_s"}
#: A code of EEGLAB, whose numbers are all floats: MNE writes 7 as `7.0`.
CODE = re.compile(r"^(-?\d+)\.0$")
#: Volts of a trigger channel that is stored as a signal: a code of 1 is 1e-6, and none is larger
#: than 17 bits.
STIM_UNIT, LARGEST = 1e-6, 2**17
#: Columns of tables of events that mean something, in any case of letters.
MEANT = ("onset", "duration", "start_s", "duration_s", "kind", "sample", *LABEL_COLUMNS)
#: Columns that the program fills itself.
RESERVED = ("bounded", COLUMN)


@dataclass(frozen=True)
class EventRules:
    """How events are found.

    Attributes:
        events: source, one of `SOURCES`; auto = the first that is there of a trigger channel that
            is named, a table, annotations.
        kind: of events whose table does not say.
        label_column: of a table; None = the first of `LABEL_COLUMNS` that has values.
        labels: label in the file -> label; others are left out.
        stim: trigger channel.
        stim_rule: changes (each new code other than zero) or rising (codes above the one before).
    """

    events: str = "auto"
    kind: str = "trial"
    label_column: str | None = None
    labels: Mapping[str, Any] | None = None
    stim: str | None = None
    stim_rule: str = "changes"

    def __post_init__(self) -> None:
        check_labels(self.labels)

    def read(
        self, raw: mne.io.BaseRaw, path: Path, table: Path | None, rate_hz: float | None
    ) -> pd.DataFrame:
        """Read the events of a recording.

        Args:
            raw: of the whole file, trigger channels included.
            path: of the recording.
            table: of its events, where there is one.
            rate_hz: of a recording that is a table of samples.

        Returns:
            columns kind, start_s, duration_s, label and those of the table.

        Raises:
            RecordingError: a table or channel that is missing or holds no events.
        """
        source = self.events
        if source == "auto":
            source = "stim" if self.stim else "tsv" if table is not None else "annotations"
            if path.suffix.lower() == ".csv" and self.label_column and rate_hz is not None:
                return self._runs_of_column(path, rate_hz)
        if source == "tsv":
            if table is None:
                raise RecordingError(path, "no events.tsv beside it", "add one, or set `events`")
            return self._of_table(table, float(raw.info["sfreq"]))
        if source == "stim":
            return self._of_channel(raw, path)
        if source == "none":
            return frame([], ("label",))
        events = self._of_notes(raw, path)
        triggers = _trigger_channels(raw)
        if self.events == "auto" and not len(events) and triggers:
            logger.warning(
                "%s: no events; its trigger channel is not read unless the study names it: "
                "stim: %s", path, triggers[0],
            )  # fmt: skip
        return events

    def rename_labels(self, events: pd.DataFrame, path: Path) -> pd.DataFrame:
        """Rename labels by `labels`; see `renamed`."""
        return renamed(events, self.labels, path)

    def marks(self, path: Path) -> list[tuple[float, float, str]]:
        """Return onset (s), duration (s) and text of the rows of a table that mark the recording.

        Stretches that are bad and joins, as MNE-BIDS and EEGLAB write them; `labels` may name them
        as events.
        """
        table = self._read_table(path)
        texts = self._marks_in(table)
        table = clean_events(table[texts.notna()], path)
        rows = zip(table["start_s"], table["duration_s"], self._marks_in(table), strict=True)
        return [(float(start), float(length), str(text)) for start, length, text in rows]

    def _marks_in(self, table: pd.DataFrame) -> pd.Series:
        """Return the text of each row that marks a stretch or a join, None for the others."""
        marks = pd.Series(None, index=table.index, dtype=object)
        named = {text_of(label) for label in self.labels or ()}
        judged = table["kind"].isin(("trial", "block", "special"))
        columns = dict.fromkeys((*LABEL_COLUMNS, self.label_column))
        for column in (name for name in columns if name in table):
            for row, text in table.loc[judged & table[column].notna(), column].items():
                if isinstance(text, str) and WRITTEN.match(text) and text not in named:
                    marks[row] = text
        return marks

    def _read_table(self, path: Path) -> pd.DataFrame:
        table = spelled(read_table(path), MEANT)
        for old, new in RENAMED.items():
            if old in table and new in table:
                raise RecordingError(path, f"both {old!r} and {new!r}", "remove one of the columns")
        for name in (name for name in RESERVED if name in table):
            raise RecordingError(path, f"{name!r} is a column of this program", "rename it")
        table = table.rename(columns=RENAMED)
        if "start_s" not in table:
            raise RecordingError(path, "no column 'onset' (or 'start_s')", "add it, in seconds")
        if "duration_s" not in table:
            table["duration_s"] = 0.0
        if "kind" not in table:
            table["kind"] = self.kind
        self._check_kinds(table, path)
        return table

    def _of_table(self, path: Path, rate_hz: float) -> pd.DataFrame:
        table = self._read_table(path)
        _check_clock(table, rate_hz, path)
        marks = self._marks_in(table)
        if marks.notna().any():
            shown = ", ".join(sorted(set(marks.dropna()))[:8])
            logger.info("%s: marks of the file and its quality, no events: %s", path, shown)
        table = clean_events(table[marks.isna()], path)
        if PUBLISHED in table:
            table[PUBLISHED] = [
                None if word is None else split_named(path, word) for word in table[PUBLISHED]
            ]
        columns = [name for name in LABEL_COLUMNS if name in table]
        filled = [name for name in columns if table[name].notna().any()]
        column = self.label_column or next(iter(filled or columns), None)
        if column is not None and column not in table:
            hint = nearest(column, map(str, table))
            raise RecordingError(path, f"no column {column!r}", f"change `label_column`{hint}")
        return table.assign(label=table[column]) if column is not None else table

    def _check_kinds(self, table: pd.DataFrame, path: Path) -> None:
        kinds = EVENT_KINDS.names()
        for row, kind in table["kind"].items():
            if kind is None:
                raise RecordingError(path, f"row {row} has no kind", "fill the column `kind`")
            if kind not in kinds:
                hint = nearest(str(kind), kinds)
                reason = f"row {row}: unknown event kind {kind!r}"
                raise RecordingError(path, reason, f"see the kinds in docs/data.md{hint}")

    def _of_notes(self, raw: mne.io.BaseRaw, path: Path) -> pd.DataFrame:
        """Return annotations as events, except marks of the file and of its quality."""
        notes = raw.annotations
        marks = sorted({str(text) for text in notes.description if is_mark(str(text))})
        if marks:
            shown = ", ".join(marks[:8])
            logger.info("%s: marks of the file and its quality, no events: %s", path, shown)
        rows: dict[tuple[float, float, str], dict[str, Any]] = {}
        again = nameless = 0
        for onset, length, text in zip(notes.onset, notes.duration, notes.description, strict=True):
            text = unicodedata.normalize("NFC", str(text))
            if is_mark(text):
                continue
            # EEGLAB's event without a type.
            if text.strip() in ("", "[]"):
                nameless += 1
                continue
            # MNE counts from the first sample of the measurement, which a crop leaves behind.
            start = float(onset) - raw.first_time
            # EEGLAB leaves durations empty.
            length = float(length) if np.isfinite(length) else 0.0
            row = {"kind": self.kind, "start_s": start, "duration_s": length}
            again += (start, length, text) in rows
            rows[start, length, text] = {**row, "label": CODE.sub(r"\1", text)}
        if nameless:
            logger.warning("%s: %d annotations without a text are left out", path, nameless)
        if again:
            logger.warning("%s: %d annotations repeat another, left out", path, again)
        return frame(list(rows.values()), ("label",))

    def _of_channel(self, raw: mne.io.BaseRaw, path: Path) -> pd.DataFrame:
        name = self._channel_name(raw, path)
        codes = trigger_codes(raw, name, path)
        places = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist()]
        rows, falling, rate = [], 0, float(raw.info["sfreq"])
        for place in places:
            code, before = int(codes[place]), int(codes[place - 1]) if place else 0
            if code == 0:
                continue
            if code < before:
                falling += 1
                if self.stim_rule == "rising":
                    continue
            row = {"kind": self.kind, "start_s": place / rate, "duration_s": 0.0, "label": code}
            rows.append(row)
        short = np.diff(places) == 1
        lost = sum(short & (codes[places[:-1]] != 0) & (codes[places[1:]] != 0)) if places else 0
        if lost:
            logger.warning(
                "%s: channel %s: %d codes last one sample and go over into another: where bits "
                "rise one after the other, they are no events", path, name, lost,
            )  # fmt: skip
        if falling:
            what = "left out by" if self.stim_rule == "rising" else "are events under"
            logger.warning(
                "%s: channel %s: %d codes follow a higher one without zero between; they %s "
                "stim_rule=%s", path, name, falling, what, self.stim_rule,
            )  # fmt: skip
        return frame(rows, ("label",))

    def _channel_name(self, raw: mne.io.BaseRaw, path: Path) -> str:
        if self.stim is not None:
            if self.stim not in raw.ch_names:
                hint = nearest(self.stim, raw.ch_names)
                raise RecordingError(path, f"no channel {self.stim}", f"change `stim`{hint}")
            return self.stim
        names = _trigger_channels(raw)
        if not names:
            raise RecordingError(path, "events=stim: no trigger channel", "name it by `stim`")
        return names[0]

    def _runs_of_column(self, path: Path, rate_hz: float) -> pd.DataFrame:
        """Return blocks in which a column of a table of samples stays the same."""
        assert self.label_column is not None
        values = label_column(path, self.label_column)
        changes = [i for i in range(1, len(values)) if values[i] != values[i - 1]]
        rows = []
        for first, last in pairwise([0, *changes, len(values)]):
            row = {"kind": "block", "start_s": first / rate_hz, "label": values[first]}
            rows.append({**row, "duration_s": (last - first) / rate_hz})
        return frame(rows)


def check_labels(labels: Mapping[str, Any] | None) -> None:
    """Raise `UserError` unless labels are a mapping from words to words or numbers."""
    check_mapping("labels", labels, "T1: left")
    for name, label in (labels or {}).items():
        if not isinstance(label, str | int | float):
            raise UserError(f"labels: {name}: {label!r}; use a word, and leave out what is unused")


def renamed(events: pd.DataFrame, labels: Mapping[str, Any] | None, path: Path) -> pd.DataFrame:
    """Return events with labels renamed; events with others are left out, counted in the log.

    Args:
        events: with a column `label`.
        labels: label in the file -> label; 1 means 01 as well, where it means nothing else.
        path: for messages.

    Raises:
        RecordingError: none of the labels occurs.
    """
    if labels is None or not len(events) or "label" not in events:
        return events
    texts = events["label"].map(text_of)
    present = set(texts)
    names = {text_of(name): label for name, label in labels.items()}
    for name in [name for name in names if name not in present and name.isdecimal()]:
        # YAML reads 01 as the number 1.
        same = [one for one in present if one.isdecimal() and int(one) == int(name)]
        if len(same) == 1 and same[0] not in names:
            names[same[0]] = names[name]
    named = texts.isin(names)
    others = sorted(set(texts[~named]))
    if not named.any():
        hint = nearest(next(iter(names), ""), others)
        reason = f"no event is labelled {', '.join(names)} (labels: {', '.join(others[:12])})"
        raise RecordingError(path, reason, f"change `labels`{hint}")
    if others:
        count, shown = int((~named).sum()), ", ".join(others[:8])
        logger.info("%s: %d events left out that `labels` does not name: %s", path, count, shown)
    return events[named].assign(label=[names[text] for text in texts[named]])


def _check_clock(table: pd.DataFrame, rate_hz: float, path: Path) -> None:
    """Raise when a table gives the same numbers as onsets and as samples."""
    if "sample" not in table or rate_hz == 1:
        return
    onsets, samples = (pd.to_numeric(table[n], errors="coerce") for n in ("start_s", "sample"))
    both = onsets.notna() & samples.notna() & (samples != 0)
    if both.any() and (onsets == samples)[both].all():
        reason = f"its onsets are numbers of samples (as in column 'sample', at {rate_hz:g} Hz)"
        raise RecordingError(path, reason, "give seconds")


def text_of(label: Any) -> str:
    """Return a label as text; whole numbers without a point, whatever column they come from."""
    number = isinstance(label, float) and label.is_integer()
    return str(int(label)) if number else str(label)


def trigger_codes(raw: mne.io.BaseRaw, name: str, path: Path) -> np.ndarray:
    """Return the codes of a trigger channel: (T,) whole numbers.

    Raises:
        RecordingError: its values are no whole numbers, neither as they are nor as microvolts.
    """
    signed = raw.get_data(picks=[name])[0]
    values = np.abs(signed)
    below = int(((signed < 0) & (np.diff(signed, prepend=0.0) != 0)).sum())
    for factor in (1.0, STIM_UNIT):
        codes = np.round(values / factor)
        # 24-bit and scaled formats round: a code of 10 may be read as 10.03 uV.
        whole = np.abs(values / factor - codes).max() <= 0.1 and (codes != 0).any()
        if not whole or (factor == STIM_UNIT and codes.max() >= LARGEST):
            continue
        if below:
            logger.warning("%s: channel %s: %d codes below zero lose their sign", path, name, below)
        # The upper bits of BioSemi's channel tell the state of the amplifier.
        biosemi = path.suffix.lower() == ".bdf" and name.upper() == "STATUS"
        return codes.astype(np.int64) & (0xFFFF if biosemi else -1)
    if not np.any(values):
        return np.zeros(len(values), np.int64)
    reason = f"channel {name}: its values are no codes (as {values[np.nonzero(values)[0][0]]:.3g})"
    raise RecordingError(path, reason, "name another channel by `stim`")


def _trigger_channels(raw: mne.io.BaseRaw) -> list[str]:
    """Return channels of triggers; of several, first the one that sums up the others (Neuromag)."""
    types = raw.get_channel_types()
    names = [name for name, kind in zip(raw.ch_names, types, strict=True) if kind == "stim"]
    return sorted(names, key=lambda name: name not in ("STI101", "STI 014", "STI014"))

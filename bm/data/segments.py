"""The segment table: one row per window, never an object."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import UserError, there_is
from .recording import Recording, RecordingId
from .stretches import Stretch, touched
from .window_rule import WHOLE_RECORDING, WindowRule

logger = logging.getLogger(__name__)


#: A whole number as text: `01` is a name.
WHOLE = re.compile(r"-?(0|[1-9]\d*)")
#: Columns of events that are copied to the table when the events have them: the sentence, and the
#: split that a data set was published with.
STIMULUS, PUBLISHED = "sequence_uid", "published_split"
#: Column with the samples of a window that are of its event, where `segment.pad` fills the rest.
HELD = "held"
#: Columns that a table of windows has only where something fills them.
OPTIONAL = ("block_uid", STIMULUS, PUBLISHED, HELD)


def segments_of(
    index: int,
    events: pd.DataFrame,
    samples: int,
    rate_hz: float,
    segment: Mapping[str, Any],
    stretches: Sequence[Stretch] = (),
) -> pd.DataFrame:
    """Return the windows of one recording, one row each.

    Args:
        index: its number.
        events: its event table.
        samples: its length.
        rate_hz: its rate after preprocessing.
        segment: plain `dset.segment`, see `WindowRule`.
        stretches: which no window may touch.

    Returns:
        columns recording, start, length (samples), event_row, label (raw value or None), with
        `within: block` block_uid, and sequence_uid and published_split where events have them;
        `attrs["left_out"]` counts the windows that reach outside the recording or its blocks.

    Raises:
        UserError: a window that reaches outside a trial that was cut already (column `bounded`).
    """
    rule = WindowRule.of(segment)
    columns, left_out = window_columns(index, events, samples, rate_hz, rule, stretches)
    log_left_out([left_out], rule)
    table = pd.DataFrame(columns)
    table.attrs["left_out"] = left_out.outside + left_out.marked
    return table


def window_columns(
    index: int,
    events: pd.DataFrame,
    samples: int,
    rate_hz: float,
    rule: WindowRule,
    stretches: Sequence[Stretch] = (),
) -> tuple[dict[str, list[Any]], LeftOut]:
    """Return the columns of `segments_of`, and how many windows are left out.

    Lists, of which one table is made for all recordings: a table of pandas for each of 2,000
    takes more time than cutting their windows.
    """
    blocks = events[events["kind"] == "block"] if rule.within else events
    if rule.within and "uid" not in blocks:
        raise UserError("segment.within=block: the events have no blocks with a uid")
    rows, values = _anchored(rule, events, samples, rate_hz)
    owners, anchors_s = _anchors(rule, values, rate_hz)
    starts, fits = rule.starts(anchors_s, rate_hz), rule.fits(anchors_s, samples, rate_hz)
    held = np.full(len(starts), rule.length(rate_hz))
    if rule.pad:
        held = rule.held(anchors_s, np.array(values["duration_s"], float), rate_hz)
        fits &= held > 0
    within = np.zeros(len(starts), int)
    if rule.within:
        within = np.array([rule.block_of(one, blocks, rate_hz) for one in anchors_s.tolist()], int)
        fits &= within >= 0
    windows = np.flatnonzero(fits)
    if rule.within:  # as published, words that round to one sample give one window
        windows = windows[np.sort(np.unique(starts[windows], return_index=True)[1])]
    clean = windows[~touched(starts[windows], held[windows], stretches, rate_hz)]
    events_of = owners[clean].tolist()
    columns: dict[str, list[Any]] = {
        "recording": [index] * len(clean),
        "start": starts[clean].tolist(),
        "length": [rule.length(rate_hz)] * len(clean),
        "event_row": [rows[i] for i in events_of],
        "label": [None] * len(clean),
        "block_uid": blocks["uid"].iloc[within[clean]].tolist() if rule.within else [],
        HELD: held[clean].tolist(),
    }
    for name, source in (("label", rule.label), (STIMULUS, STIMULUS), (PUBLISHED, PUBLISHED)):
        if source in values:
            columns[name] = [values[source][i] for i in events_of]
    names = ["recording", "start", "length", "event_row", "label", *_columns_of(rule, events)]
    left_out = LeftOut(len(fits) - int(fits.sum()), len(windows) - len(clean), len(windows))
    return {name: columns[name] for name in names}, left_out


def _anchors(
    rule: WindowRule, values: Mapping[str, list[Any]], rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the event (N,) and the anchor in seconds (N,) of each window of some events.

    Args:
        rule: how they are cut.
        values: columns of the events.
        rate_hz: of the recording.
    """
    count = len(values["start_s"])
    events = []
    if rule.stride_s is not None or "bounded" in values:
        events = [{name: column[i] for name, column in values.items()} for i in range(count)]
    for event in events:
        if event.get("bounded") is True:
            rule.check_inside(event, rate_hz)
    if rule.stride_s is None:
        return np.arange(count), np.array(values["start_s"], float)
    anchors = [rule.anchors(event) for event in events]
    owners = np.repeat(np.arange(count), [len(one) for one in anchors])
    return owners, np.array([anchor for one in anchors for anchor in one], float)


def table_of(parts: Sequence[Mapping[str, list[Any]]]) -> pd.DataFrame:
    """Return the columns of several recordings as one table; what one of them lacks is missing."""
    parts = [part for part in parts if part["start"]] or parts[:1]
    names = dict.fromkeys(name for part in parts for name in part)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for part in parts:
        missing = [np.nan] * len(part["start"])
        for name, values in columns.items():
            values += part.get(name, missing)
    return pd.DataFrame(columns)


def _anchored(
    rule: WindowRule, events: pd.DataFrame, samples: int, rate_hz: float
) -> tuple[list[int], dict[str, list[Any]]]:
    """Return rows of the events that give windows, and columns that windows are made of."""
    simple = rule.query is None and rule.kind != WHOLE_RECORDING
    # A table of these events alone would take longer than all that follows.
    rows = events if simple else rule.matching_events(events, samples, rate_hz)
    read = {"kind", "start_s", "duration_s", "bounded", rule.label, STIMULUS, PUBLISHED}
    columns = {name: rows[name].tolist() for name in rows if name in read}
    numbers = rows.index.tolist()
    if simple:
        rule.check_kind()
        numbers = [i for i, kind in enumerate(columns["kind"]) if kind == rule.kind]
        columns = {name: [values[i] for i in numbers] for name, values in columns.items()}
    return numbers, columns


def _columns_of(rule: WindowRule, events: pd.DataFrame) -> list[str]:
    """Return which of the optional columns a table of windows has."""
    there = {"block_uid": bool(rule.within), HELD: rule.pad}
    names = () if rule.kind == WHOLE_RECORDING else tuple(events)
    return [name for name in OPTIONAL if there.get(name, name in names)]


class LeftOut(NamedTuple):
    """Windows of one recording that are not used.

    Attributes:
        outside: they reach outside the recording or its blocks.
        marked: they touch a marked stretch or a join.
        inside: windows that do not reach outside.
    """

    outside: int
    marked: int
    inside: int


def log_left_out(counts: Sequence[LeftOut], rule: WindowRule) -> None:
    """Log the windows that recordings lack, in a line for all: there may be thousands."""
    outside, marked = sum(one.outside for one in counts), sum(one.marked for one in counts)
    of = f"in %d of {len(counts)} recordings"
    if outside:
        where = " or its blocks" if rule.within else ""
        text = f"%d windows reach outside their recording{where} and are left out ({of})"
        logger.warning(text, outside, sum(one.outside > 0 for one in counts))
    if marked:
        logger.warning(
            f"%d of %d windows touch marked stretches or joins and are left out ({of}; "
            "dset.keep_bad=true keeps them)", marked, sum(one.inside for one in counts),
            sum(one.marked > 0 for one in counts),
        )  # fmt: skip


def joined_ids(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return the texts of some columns of a table in one, `study|subject`."""
    # row by row, as DataFrame.agg does it, 76,000 windows take 3 s
    first, *others = (table[name].astype(str) for name in columns)
    for other in others:
        first = first + "|" + other
    return first


def lengths_of(table: pd.DataFrame) -> np.ndarray:
    """Return the samples (N,) of a recording that each window shows, padding left out."""
    return table[HELD if HELD in table else "length"].to_numpy(int)


def whole_events(segment: Mapping[str, Any], events: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return `dset.segment` with the length of the events where `duration_s` is null.

    Raises:
        UserError: no event of the kind, or events of several lengths.
    """
    if segment.get("duration_s", 1.0) is not None:
        return dict(segment)
    kind = segment["kind"]
    rows = [table.loc[table["kind"] == kind, "duration_s"] for table in events if len(table)]
    lengths = sorted({round(float(value), 9) for part in rows for value in part})
    if len(lengths) != 1:
        listed = ", ".join(f"{value:g}" for value in lengths[:4]) or "none"
        raise UserError(
            f"segment.duration_s=null: events of kind {kind!r} have the lengths {listed} s, not "
            "one; give the seconds of a window"
        )
    offset = float(segment.get("offset_s", 0.0))
    return {**segment, "duration_s": round(lengths[0] - offset, 9)}


def number_labels(table: pd.DataFrame, events: Sequence[pd.DataFrame], column: str | None) -> tuple:
    """Replace labels by class numbers, and return the names of the classes.

    Whole numbers keep their value as class (named by the events' `class` column when there is one);
    texts are numbered in sorted order.

    Raises:
        UserError: no event has the column, or some windows have no label.
    """
    if column not in (None, "label") and not any(column in frame for frame in events):
        raise no_label_column(column, {str(name) for frame in events for name in frame})
    if column is None or table["label"].isna().all():
        table["label"] = -1
        return ()
    if table["label"].isna().any():
        raise UserError(_without_label(table, column))
    table["label"] = one_spelling(table["label"].tolist())
    values = sorted(set(table["label"]), key=lambda v: (isinstance(v, str), v))
    if all(isinstance(value, int) for value in values):
        names = {value: str(value) for value in values}
        named = _class_names(events, column)
        codes, words = ({pair[i] for pair in named} for i in (0, 1))
        if len(named) > min(len(codes), len(words)):
            logger.warning("column 'class' names %s in several ways; the codes stay", column)
        else:
            names.update(dict(named))
        numbers = {v: i for i, v in enumerate(sorted(names))}
        table["label"] = [numbers[v] for v in table["label"]]
        return tuple(str(names[v]) for v in sorted(names))
    texts = {str(v): i for i, v in enumerate(sorted(map(str, values)))}
    table["label"] = [texts[str(v)] for v in table["label"]]
    return tuple(texts)


def _class_names(events: Sequence[pd.DataFrame], column: str) -> set[tuple[int, str]]:
    """Return the pairs of a code and the name that the column `class` gives it."""
    pairs: set[tuple[int, str]] = set()
    for frame in events:
        if "class" in frame and column in frame:
            rows = frame.dropna(subset=[column, "class"])
            pairs |= set(zip(rows[column].astype(int), rows["class"], strict=True))
    return pairs


def no_label_column(column: str, names: set[str]) -> UserError:
    """Return the error of a label that no event has, with the columns that there are."""
    hint = there_is(names - {"kind", "start_s", "duration_s"}, column)
    return UserError(f"dset.segment.label={column}: no event has such a column; {hint}")


def _without_label(table: pd.DataFrame, column: str) -> str:
    """Return which windows have no label, and what to do."""
    missing = table[table["label"].isna()]
    first = missing.iloc[0]
    names = [str(first[name]) for name in ("study", "subject", "session", "run") if name in table]
    where = f", the first of {'/'.join(names)}" if names else ""
    if "start_s" in table:
        where += f" at {first['start_s']:g} s"
    return (
        f"some events have no {column!r}: {len(missing)} of {len(table)} windows{where}; fill it, "
        f"choose another segment.label, or leave them out by segment.query='{column}.notna()'"
    )


def one_spelling(labels: Sequence[Any]) -> list[Any]:
    """Return labels in which whole numbers are ints, also where another file has them as text.

    >>> one_spelling([1.0, 2, "1"]), one_spelling(["01", "1"])
    ([1, 2, 1], ['01', '1'])
    """
    # A column shared with events without a label is float: 1.0 is class 1.
    whole = [int(v) if is_whole(v) else v for v in labels]
    if all(isinstance(v, str) for v in whole) or any(isinstance(v, float) for v in whole):
        return whole
    return [int(v) if isinstance(v, str) and WHOLE.fullmatch(v) else v for v in whole]


def is_whole(value: Any) -> bool:
    """Return whether a label is a whole number."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and bool(np.isfinite(value)) and float(value).is_integer()


VALUE = "value_"  # start of the names of columns with values to predict


def add_values(table: pd.DataFrame, events: Sequence[pd.DataFrame], columns: Sequence[str]) -> None:
    """Add a column of numbers for each of some columns of the events.

    Raises:
        UserError: an event without such a number.
    """
    for column in columns:
        values = np.empty(len(table), dtype=object)
        for recording, rows in table.reset_index(drop=True).groupby("recording"):
            frame = events[int(recording)]  # type: ignore[call-overload]
            if column not in frame or (rows["event_row"] < 0).any():
                raise UserError(f"segment.values: the events have no column {column!r}")
            values[rows.index] = frame[column].to_numpy()[rows["event_row"]]
        numbers = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(float)
        if not np.isfinite(numbers).all():
            bad = values[int(np.flatnonzero(~np.isfinite(numbers))[0])]
            raise UserError(f"segment.values: {column!r} is {bad} in some event; give numbers")
        table[VALUE + column] = numbers


def value_names(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the values that `add_values` has added."""
    return tuple(str(n).removeprefix(VALUE) for n in table if str(n).startswith(VALUE))


def values_of(table: pd.DataFrame) -> np.ndarray | None:
    """Return values (N, V) float32, None when windows have none."""
    names = [VALUE + name for name in value_names(table)]
    return table[names].to_numpy(np.float32) if names else None


def add_ids(table: pd.DataFrame, ids: Sequence[RecordingId]) -> pd.DataFrame:
    """Add study, subject, session, run and group of each window's recording to the table."""
    places = table["recording"].tolist()
    for name in ("study", "subject", "session", "run"):
        values = [getattr(one, name) for one in ids]
        table[name] = [values[place] for place in places]
    groups = [one.group or one.subject for one in ids]
    table["group"] = [groups[place] for place in places]
    return table


def leading_subjects(table: pd.DataFrame, recordings: Sequence[Recording], count: int) -> pd.Series:
    """Return which rows are of the first `count` people, in the order of the recordings.

    Raises:
        UserError: no person is left.
    """
    if count < 1:
        raise UserError(f"dset.n_subjects={count}: use 1 or more, or null")
    order = dict.fromkeys((r.id.study, r.id.subject) for r in recordings)
    people = {f"{study}/{subject}" for study, subject in list(order)[:count]}
    return (table["study"] + "/" + table["subject"]).isin(people)

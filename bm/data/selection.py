"""Selections that select nothing: what was asked for, what is nearest, and what there is."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import SHOWN, UserError, there_is
from .recording import WHOLE_RECORDING
from .segments import no_label_column
from .window_rule import WindowRule

if TYPE_CHECKING:
    from .recording import Recording
    from .signal import Signal

logger = logging.getLogger(__name__)
ENTITY = re.compile(r"^[a-zA-Z]+-(?=.)")


def name_of(value: object, present: Collection[str]) -> str | None:
    """Return the name that a value of the configuration means; None when it means nobody.

    YAML reads 01 as the number 1, and people write `sub-01` where BIDS has 01.

    >>> name_of(1, ["01", "02"]), name_of("sub-02", ["01", "02"]), name_of("3", ["01", "02"])
    ('01', '02', None)
    """
    text = str(value)
    if text in present:
        return text
    for spelling in (text, ENTITY.sub("", text)):
        if spelling in present:
            return spelling
        if spelling.isdecimal():
            # One match alone: with both `1` and `01` present the value is ambiguous.
            same = [n for n in present if n.isdecimal() and int(n) == int(spelling)]
            if len(same) == 1:
                return same[0]
    short = [name for name in present if ENTITY.sub("", name) == text]
    return short[0] if len(short) == 1 else None


def names_of(
    key: str, values: object, present: Collection[str], elsewhere: Collection[str] = ()
) -> set[str]:
    """Return the names that the values of a key mean.

    Args:
        key: dotted, for messages.
        values: list, or one value.
        present: names that can be selected.
        elsewhere: names that exist, but could not be read; a warning says so.

    Raises:
        UserError: a value that means nobody, or no value.
    """
    items = list(values) if isinstance(values, list | tuple | set) else [values]
    if not items:
        raise UserError(f"{key}: an empty list selects nothing; {there_is(present)}")
    names = set()
    for value in items:
        name = name_of(value, present)
        if name is not None:
            names.add(name)
        # A bad file must not turn a correct list of people into an error of spelling.
        elif name_of(value, elsewhere) is not None:
            logger.warning("%s: %s could not be read, and is left out", key, value)
        else:
            hint = there_is(present, str(value))
            raise UserError(f"{key}: {str(value)!r} selects nothing; {hint}")
    return names


def no_window(signals: Sequence[Signal], segment: Mapping[str, Any], left_out: int) -> str:
    """Return why no window could be cut from any recording.

    Args:
        signals: of all recordings.
        segment: plain `dset.segment`.
        left_out: windows that reach outside, or touch a marked stretch.
    """
    rule = WindowRule.of(segment)
    count = len(signals)
    if rule.kind == WHOLE_RECORDING:
        seconds = max(signal.samples / signal.rate_hz for signal in signals)
        return (
            f"no window: {count} recordings, the longest of {seconds:g} s; segment.duration_s="
            f"{segment['duration_s']:g} does not fit; {left_out} windows were left out"
        )
    kinds: Counter[str] = Counter()
    for signal in signals:
        kinds.update(map(str, signal.events["kind"]) if "kind" in signal.events else ())
    events = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common()) or "none"
    start = f"no window: {count} recordings, their events: {events}"
    if not kinds[rule.kind]:
        there = f" (to {kinds.most_common(1)[0][0]})" if kinds else ""
        return (
            f"{start}; none is of kind {rule.kind!r}: change dset.segment.kind{there}, or let the "
            "study read events (events.tsv, annotations, `stim`, `label_column` of a table of "
            "samples)"
        )
    parts = [signal.events[signal.events["kind"] == rule.kind] for signal in signals]
    values = [v for part in parts if "label" in part for v in part["label"].dropna()]
    labels = Counter(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
    named = ", ".join(f"{label} ({n})" for label, n in labels.most_common(SHOWN)) or "none"
    start += f"; labels: {named}"
    if rule.query is not None:
        matching = sum(
            len(rule.matching_events(signal.events, signal.samples, signal.rate_hz))
            for signal in signals
        )
        if not matching:
            return f"{start}; none meets segment.query={rule.query!r}"
        start += f"; {matching} meet segment.query"
    if left_out:
        return (
            f"{start}; all {left_out} windows of {segment['duration_s']} s, from {rule.offset_s:g} "
            "s after an event on, reach outside, or touch a marked stretch: change "
            "dset.segment.duration_s or offset_s"
        )
    longest = max(float(part["duration_s"].max()) for part in parts if len(part))
    return (
        f"{start}; the longest lasts {longest:g} s, too short for dset.segment (offset_s "
        f"{rule.offset_s:g}, duration_s {segment['duration_s']:g}, stride_s {rule.stride_s})"
    )


def tell_labels(recordings: Sequence[Recording], events: Sequence[pd.DataFrame]) -> None:
    """Name in the log what the `labels` of a study choose and no event of its recordings has."""
    asked: dict[str, Mapping[str, Any]] = {}
    present: dict[str, set[object]] = {}
    for recording, table in zip(recordings, events, strict=True):
        if recording.chosen_labels is not None and "label" in table:
            asked[recording.id.study] = recording.chosen_labels
            present.setdefault(recording.id.study, set()).update(table["label"].tolist())
    for study, names in asked.items():
        # A column of whole numbers beside events without a label is float.
        there = {str(label).removesuffix(".0") for label in present[study]}
        for name, label in names.items():
            if str(label).removesuffix(".0") not in there:
                logger.warning("%s: labels: %s: no event has become %s", study, name, label)


def check_label(column: str | None, events: Sequence[pd.DataFrame], kind: str) -> None:
    """Raise `UserError` when no event of a kind has a column for the label.

    Called where classes are needed: windows of pre-training have no label.
    """
    tables = [t[t["kind"] == kind] if kind != WHOLE_RECORDING else t for t in events if len(t)]
    names = {str(name) for table in tables for name in table if table[name].notna().any()}
    if column is not None and column not in names:
        raise no_label_column(column, names)

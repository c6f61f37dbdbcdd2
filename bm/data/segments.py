"""The segment table: one row per window, never an object."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from ..registry import check_known
from .recording import EVENT_KINDS, RecordingId

logger = logging.getLogger(__name__)


def starts_in(event: Mapping[str, Any], segment: Mapping[str, Any]) -> np.ndarray:
    """Start times in seconds of the windows that an event gives.

    Without `stride_s` one window, `offset_s` after the event's start; with it as many as fit
    between `offset_s` and the event's end.
    """
    first = float(event["start_s"]) + float(segment["offset_s"])
    if segment["stride_s"] is None:
        return np.array([first])
    room = float(event["start_s"]) + float(event["duration_s"]) - first - segment["duration_s"]
    count = max(0, int(np.floor(room / segment["stride_s"] + 1e-9)) + 1)
    return first + segment["stride_s"] * np.arange(count)


def segments_of(
    index: int,
    events: pd.DataFrame,
    samples: int,
    rate_hz: float,
    segment: Mapping[str, Any],
) -> pd.DataFrame:
    """Rows of one recording.

    Args:
        index: number of the recording.
        events: its event table.
        samples: its length.
        rate_hz: its rate after preprocessing.
        segment: kind, offset_s, duration_s, stride_s, label.

    Returns:
        columns recording, start, length (samples), event_row, label (raw value or None).
    """
    check_known("event kind", segment["kind"], EVENT_KINDS)
    length = round(segment["duration_s"] * rate_hz)
    rows, outside = [], 0
    for number, event in enumerate(events.to_dict("records")):
        if event["kind"] != segment["kind"]:
            continue
        label = event.get(segment["label"]) if segment["label"] else None
        for start_s in starts_in(event, segment):
            start = round(start_s * rate_hz)
            if start < 0 or start + length > samples:
                outside += 1
                continue
            rows.append((index, start, length, number, label))
    if outside:
        logger.warning("recording %d: %d windows reach outside it and are left out", index, outside)
    return pd.DataFrame(rows, columns=["recording", "start", "length", "event_row", "label"])


def number_labels(table: pd.DataFrame, events: Sequence[pd.DataFrame], column: str | None) -> tuple:
    """Replace labels by class numbers; returns the names of the classes.

    Whole numbers keep their value as class (named by the events' `class` column when there is one);
    texts are numbered in sorted order.
    """
    if column is None or table["label"].isna().all():
        table["label"] = -1
        return ()
    if table["label"].isna().any():
        raise UserError(f"some events have no {column!r}; choose another segment.label")
    values = sorted(set(table["label"]))
    # A column shared with events without a label is float: 1.0 is class 1.
    if all(isinstance(v, int | float | np.number) and float(v).is_integer() for v in values):
        names = {int(v): str(v) for v in values}
        for frame in events:
            if "class" in frame and column in frame:
                known = frame.dropna(subset=[column, "class"])
                names.update(dict(zip(known[column].astype(int), known["class"], strict=True)))
        numbers = {v: i for i, v in enumerate(sorted(names))}
        table["label"] = [numbers[int(v)] for v in table["label"]]
        return tuple(str(names[v]) for v in sorted(names))
    numbers = {str(v): i for i, v in enumerate(sorted(map(str, values)))}
    table["label"] = [numbers[str(v)] for v in table["label"]]
    return tuple(numbers)


def add_ids(table: pd.DataFrame, ids: Sequence[RecordingId]) -> pd.DataFrame:
    """The table with study, subject, session, run and group of each window's recording."""
    for name in ("study", "subject", "session", "run"):
        table[name] = [getattr(ids[r], name) for r in table["recording"]]
    table["group"] = [ids[r].group or ids[r].subject for r in table["recording"]]
    return table

"""Tables of events: read from text with any line ending, checked against their recording."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import RecordingError

logger = logging.getLogger(__name__)
#: Events may begin this much after the last sample: onsets in text are rounded.
ROUNDING_S = 1e-3
#: Columns of every table of events.
NEEDED = ("kind", "start_s", "duration_s")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of text: tabs, or commas for `.csv`; `n/a` is missing; words stay words.

    Raises:
        RecordingError: no such file, nothing in it, no text, or rows of different lengths.
    """
    try:
        # Text mode turns every line ending, also a lone carriage return, into a line feed.
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecordingError(path, "no such file", "put it there") from None
    except UnicodeDecodeError:
        raise RecordingError(path, "no UTF-8 text", "save it as UTF-8") from None
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise RecordingError(path, "empty table", "give it a line of names and rows, or remove it")
    widths = {line.count(separator) for line in lines}
    if separator == "\t" and len(widths) > 1:
        raise RecordingError(
            path, "rows of different lengths", "separate columns by tabs, one event per line"
        )
    try:
        return pd.read_csv(
            io.StringIO("\n".join(lines)), sep=separator, na_values=["n/a"], skipinitialspace=True
        )
    except pd.errors.ParserError as error:
        raise RecordingError(path, str(error).strip(), "repair the table") from None


def check_events(events: pd.DataFrame, duration_s: float, path: str | Path) -> pd.DataFrame:
    """Return the events inside a recording, in order of time.

    A missing duration is 0. Events that begin outside the recording are left out and counted in
    the log; when they are more than half, the clock or its unit is wrong.

    Raises:
        RecordingError: no `start_s`, words or NaN for times, negative durations, onsets that go
            back (a clock that restarts), or most events outside.
    """
    missing = [name for name in NEEDED if name not in events]
    if missing:
        raise RecordingError(path, f"events have no column {missing[0]!r}", "add it")
    if events.empty:
        return events.reset_index(drop=True)
    events = events.copy()
    starts, lengths = (
        pd.to_numeric(events[name], errors="coerce") for name in ("start_s", "duration_s")
    )
    # An event without a duration is an instant; a duration that is no number is an error.
    lengths = lengths.where(~events["duration_s"].isna(), 0.0)
    if not np.isfinite(starts).all():
        row = int(np.flatnonzero(~np.isfinite(starts))[0])
        value = events["start_s"].iloc[row]
        raise RecordingError(path, f"event {row} begins at {value}", "give seconds")
    if not (lengths >= 0).all():
        row = int(np.flatnonzero(~(lengths >= 0))[0])
        value = events["duration_s"].iloc[row]
        raise RecordingError(path, f"event {row} has the duration {value}", "give seconds")
    events["start_s"], events["duration_s"] = starts.astype(float), lengths.astype(float)
    _check_order(events, path)
    outside = ((events["start_s"] < 0) | (events["start_s"] >= duration_s + ROUNDING_S)).to_numpy()
    if outside.sum() * 2 > len(events):
        worst = events.loc[outside, "start_s"].abs().max()
        raise RecordingError(
            path,
            f"{outside.sum()} of {len(events)} events are outside the recording of "
            f"{duration_s:.1f} s (up to {worst:.1f})",
            "give onsets in seconds from its first sample",
        )
    if outside.any():
        first = float(events["start_s"].to_numpy()[outside][0])
        logger.warning(
            "%s: %d events outside the recording of %.1f s are left out, the first at %.1f s",
            *(path, outside.sum(), duration_s, first),
        )
    inside = events[~outside].sort_values("start_s", kind="stable")
    return inside.reset_index(drop=True)


def _check_order(events: pd.DataFrame, path: str | Path) -> None:
    """Raise unless onsets of each kind increase; tables may list all words, then all sentences."""
    for kind, rows in events.groupby("kind", sort=False):
        steps = np.diff(rows["start_s"].to_numpy())
        if (steps < 0).any():
            row = int(np.flatnonzero(steps < 0)[0])
            before, after = rows["start_s"].iloc[row], rows["start_s"].iloc[row + 1]
            raise RecordingError(
                path,
                f"{kind} events go back from {before:g} s to {after:g} s",
                "give onsets on one clock, in order",
            )


def frame(rows: list[dict], columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return a table of event rows that keeps its columns when there are none."""
    return pd.DataFrame(rows, columns=None if rows else [*NEEDED, *columns])

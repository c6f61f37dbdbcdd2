"""Logs of the program Presentation: what was shown and played, and when."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from ..errors import RecordingError
from .edf import FETCH

#: Ticks per second of the program's clock.
TICKS = 10_000
#: Event types that the second table tells more about.
STIMULI = ("Picture", "Sound", "Nothing")


def read_log(path: Path) -> pd.DataFrame:
    """Read the rows of a log: `event_type`, `code`, `time`, `duration` (s) and the other columns.

    Raises:
        RecordingError: no log, or tables that do not belong together.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise RecordingError(path, (error.strerror or str(error)).lower(), FETCH) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _, mark, body = text.partition("Scenario -")
    parts = [part for part in re.split(r"\n\s*\n\s*\n", body) if "Uncertainty" in part]
    if not mark or not parts:
        raise RecordingError(path, "no log of Presentation", FETCH)
    tables = [_read_table(part, path) for part in parts[:2]]
    events = tables[0]
    if len(tables) == 1:
        return events
    rows = events.index[events["event_type"].isin(STIMULI)]
    if len(rows) != len(tables[1]):
        reason = f"{len(rows)} stimuli in its first table, {len(tables[1])} in its second"
        raise RecordingError(path, reason, FETCH)
    more = tables[1].drop(columns=[c for c in tables[1] if c in events])
    return events.join(more.set_index(rows))


def _read_table(part: str, path: Path) -> pd.DataFrame:
    """Read one table; its header line is the one that names uncertainties."""
    lines = [line for line in part.split("\n") if line.strip()]
    head = next(i for i, line in enumerate(lines) if "Uncertainty" in line)
    names: list[str] = []
    for name in lines[head].split("\t"):
        plain = name.strip().lower().replace(" ", "_")
        if plain == "uncertainty":  # of the time, then of the duration
            plain = "duration_uncertainty" if "time_uncertainty" in names else "time_uncertainty"
        names.append(plain)
    missing = [name for name in ("event_type", "code", "time", "duration") if name not in names]
    if missing:
        raise RecordingError(path, f"a table without the column {missing[0]!r}", FETCH)
    width = len(names)
    rows = [(line.split("\t") + [""] * width)[:width] for line in lines[head + 1 :]]
    buffer = io.StringIO("\n".join("\t".join(row) for row in rows))
    # quoting=3 is csv.QUOTE_NONE: a quotation mark is part of a code.
    table = pd.read_csv(buffer, sep="\t", names=names, dtype=str, keep_default_na=False, quoting=3)
    for name in names:
        if "time" in name or "dur" in name:
            table[name] = pd.to_numeric(table[name], errors="coerce") / TICKS
    if table["time"].isna().any():
        raise RecordingError(path, "a row without a time", FETCH)
    return table

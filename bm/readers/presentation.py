"""Logs of the program Presentation: what was shown and played, and when (clip spec 2.1)."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from ..errors import RecordingError
from .edf import FETCH

#: Ticks per second of the clock.
TICKS = 10_000
#: Event types that the second table tells more about.
STIMULI = ("Picture", "Sound", "Nothing")
#: Codes that are no words -> condition.
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


def read_log(path: Path) -> pd.DataFrame:
    """Rows of a log: `event_type`, `code`, `time`, `duration` (s) and the other columns.

    Raises:
        RecordingError: no log, or tables that do not belong together.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise RecordingError(path, (error.strerror or str(error)).lower(), FETCH) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _, found, body = text.partition("Scenario -")
    parts = [part for part in re.split(r"\n\s*\n\s*\n", body) if "Uncertainty" in part]
    if not found or not parts:
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
    table = pd.read_csv(buffer, sep="\t", names=names, dtype=str, keep_default_na=False, quoting=3)
    for name in names:
        if "time" in name or "dur" in name:
            table[name] = pd.to_numeric(table[name], errors="coerce") / TICKS
    if table["time"].isna().any():
        raise RecordingError(path, "a row without a time", FETCH)
    return table


def word_of(code: str) -> str:
    """The word of a code: without digits and blanks."""
    return re.sub(r"[\d\s]+", "", code)


def condition_of(code: str) -> str:
    """What a row is: one of `CONDITIONS`, or `word`."""
    code = code.strip()
    for name, condition in CONDITIONS.items():
        if code == name or code.startswith(f"{name} "):
            return condition
    return "word" if word_of(code) else "blank"


def with_conditions(log: pd.DataFrame) -> pd.DataFrame:
    """The log with condition, context (sentence or word_list) and block (number of the context)."""
    log = log.copy()
    log["condition"] = [condition_of(code) for code in log["code"]]
    log.loc[log["event_type"] == "Response", "condition"] = "response"
    log.loc[log["event_type"] == "Pulse", "condition"] = "pulse"
    begins = log["condition"].isin(CONTEXTS)
    log["block"] = begins.cumsum()
    log["context"] = log["condition"].where(begins).ffill()
    return log

"""Tables of text: one reader for events, people, channels and samples; events are checked."""

from __future__ import annotations

import csv
import logging
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import RecordingError

logger = logging.getLogger(__name__)
#: Events may begin this much after the last sample: onsets in text are rounded.
ROUNDING_S = 1e-3
#: Columns of every table of events.
NEEDED = ("kind", "start_s", "duration_s")
#: Cells without a value. `NA`, `null`, `None` and `nan` are words: a condition may be called so.
MISSING = ("", "n/a")
INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
#: `01` and `007` are names that happen to be digits.
PADDED = re.compile(r"[+-]?0\d+")
DECIMAL_COMMA = re.compile(r"^([+-]?\d+),(\d+)$")
#: Begin of the name of a column without one: an index that a program has written.
UNNAMED = "unnamed"
SNIFFED = 200  # rows that tell the separator


def read_table(path: Path, quoted: bool = False) -> pd.DataFrame:
    """Read a table of text: every cell means what is written in it.

    The separator is a tab, else a semicolon (with commas or points as decimals), else a comma.
    Tables with tabs know no quotation; in the others a cell may be quoted. Cells that are empty or
    `n/a` are missing. A column is numeric when all its other cells are numbers and none has a
    leading zero; whole numbers stay whole beside missing ones; all else is text as written.

    Args:
        path: the table.
        quoted: a table with tabs that a program wrote with quotation, as pandas does.

    Returns:
        the rows; the index is the row's line in the file, the line of names being 1.

    Raises:
        RecordingError: no such file or one that may not be read, nothing in it, no text, rows of
            different lengths, no line of names, or two columns of one name.
    """
    layout = read_layout(path, quoted)
    rows = list(layout.rows())
    numbers = [number for number, _ in rows]
    columns = {}
    for place, name in enumerate(layout.names):
        values = to_column([cells[place] for _, cells in rows], layout.separator)
        # Beside None, pandas would make floats of whole numbers.
        kind = object if None in values or not values else None
        columns[name] = pd.Series(values, numbers, dtype=kind)
    return pd.DataFrame(columns, index=numbers)


def spelled(table: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Return a table in which `Onset` or `STATUS` are called as in `names`, where it is clear."""
    lower = [str(name).lower() for name in table]
    renamed = {
        name: low
        for name, low in zip(table, lower, strict=True)
        if low in names and low not in table and lower.count(low) == 1
    }
    return table.rename(columns=renamed)


@dataclass(frozen=True)
class Layout:
    """How a table of text is written.

    Attributes:
        path: of the table.
        names: of its columns; those without are called `unnamed N`.
        separator: between cells.
        decimal: point, or comma.
        lines: (number in the file, text) of the rows.
        quoted: cells of a table with tabs may be quoted.
    """

    path: Path
    names: tuple[str, ...]
    separator: str
    decimal: str
    lines: Sequence[tuple[int, str]]
    quoted: bool

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row's number in the file and its cells.

        Raises:
            RecordingError: rows of different lengths.
        """
        for number, line in self.lines:
            cells = _cells(line, self.separator, self.quoted)
            if len(cells) != len(self.names):
                raise RecordingError(
                    self.path,
                    f"rows of different lengths: row {number} has {len(cells)} cells, the line of "
                    f"names has {len(self.names)}",
                    "separate columns by tabs, one row per line",
                )
            yield number, cells


def read_layout(path: Path, quoted: bool = False) -> Layout:
    """Recognise how a table is written; see `read_table` for rules and errors."""
    (_, first), *lines = _lines(path)
    separator = _separator(path, [first, *(line for _, line in lines[:SNIFFED])])
    names = _cells(first, separator, quoted)
    if all(NUMBER.fullmatch(name.replace(",", ".")) for name in names):
        shown = ", ".join(names[:4])
        raise RecordingError(path, f"no line of names: it begins with {shown}", "add one")
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise RecordingError(path, f"two columns {twice[0]!r}", "rename one")
    named = tuple(name or f"{UNNAMED} {place}" for place, name in enumerate(names))
    cells = [cell for _, line in lines[:SNIFFED] for cell in _cells(line, separator)]
    comma = separator == ";" and any(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return Layout(path, named, separator, "," if comma else ".", lines, quoted)


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that hold something, with their numbers from 1 on."""
    try:
        # Text mode turns every line ending, also a lone carriage return, into a line feed.
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecordingError(path, "no such file", "put it there") from None
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise RecordingError(path, reason, "change its permissions, or remove it") from None
    except UnicodeDecodeError:
        raise RecordingError(path, "no UTF-8 text", "save it as UTF-8") from None
    # An accent may be a character of its own: two spellings of one word, which nobody sees.
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    # A byte of zero is what a sparse or cut file is filled with.
    if "\0" in text:
        raise RecordingError(path, "no text: it holds bytes of zero", "save it as UTF-8")
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise RecordingError(path, "empty table", "give it a line of names and rows, or remove it")
    return lines


def _separator(path: Path, lines: Sequence[str]) -> str:
    """Return the separator; a table of one column has a tab."""
    order = ",;\t" if path.suffix.lower() == ".csv" else "\t;,"
    present = [separator for separator in order if separator in lines[0]]
    if not present:
        return "\t"
    for separator in present:
        if len({len(_cells(line, separator)) for line in lines}) == 1:
            return separator
    return present[0]


def _cells(line: str, separator: str, quoted: bool = False) -> list[str]:
    plain = [cell.strip() for cell in line.split(separator)]
    if (separator == "\t" and not quoted) or '"' not in line:
        return plain
    # RFC 4180: a cell that holds the separator is quoted. One line is one row, so that a lone
    # quotation mark never swallows the rows below it.
    parsed = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    whole = all(len(c) > 1 and c[0] == c[-1] == '"' for c in plain if c.startswith('"'))
    balanced = line.count('"') % 2 == 0
    return [cell.strip() for cell in parsed] if whole or balanced else plain


def to_column(cells: Sequence[str], separator: str = "\t") -> list:
    """Return cells as whole numbers, numbers (NaN where missing), or text (None where missing)."""
    values: list = [None if cell in MISSING else cell for cell in cells]
    words = [value for value in values if value is not None]
    if separator == ";":  # where commas cannot separate they are decimal
        points = [DECIMAL_COMMA.sub(r"\1.\2", word) for word in words]
        if all(NUMBER.fullmatch(point) for point in points):
            values = [v and DECIMAL_COMMA.sub(r"\1.\2", v) for v in values]
            words = points
    numeric = bool(words) and all(NUMBER.fullmatch(word) for word in words)
    if not numeric or any(PADDED.fullmatch(word) for word in words):
        return values
    if all(INTEGER.fullmatch(word) for word in words):
        # Above 2**53 a float would change the number, so that two ids become one: they are text.
        if any(abs(int(word)) >= 2**53 for word in words):
            return values
        return [None if value is None else int(value) for value in values]
    return [np.nan if value is None else float(value) for value in values]


def clean_events(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the rows of a table of events with numeric times, in order of time.

    A missing duration is 0. Rows without an onset and rows that repeat another are left out,
    counted in the log.

    Args:
        table: of `read_table`, with `start_s` and `duration_s`; its index names rows of the file.
        path: of the table, for messages.

    Raises:
        RecordingError: an onset that is no number, or a duration that is none or negative, with
            the row as a person counts.
    """
    times = table[["start_s", "duration_s"]].apply(pd.to_numeric, errors="coerce")
    lost = table["start_s"].isna()
    for name, word in (("start_s", "onset"), ("duration_s", "duration")):
        wrong = ~np.isfinite(times[name].to_numpy(float)) & table[name].notna().to_numpy()
        wrong |= (times[name] < 0).to_numpy() if name == "duration_s" else False
        if wrong.any():
            row = table.index[int(wrong.argmax())]
            reason = f"row {row}: the {word} is {table.loc[row, name]}"
            raise RecordingError(path, reason, "give seconds, with a decimal point")
    if lost.any():
        rows = ", ".join(map(str, table.index[lost][:8]))
        logger.warning("%s: %d events without onset left out (rows %s)", path, lost.sum(), rows)
    again = table.duplicated() & ~lost
    if again.any():
        rows = ", ".join(map(str, table.index[again][:8]))
        logger.warning("%s: %d events repeat another, left out (rows %s)", path, again.sum(), rows)
    times["duration_s"] = times["duration_s"].fillna(0.0)
    events = table.assign(**{name: times[name].astype(float) for name in times})[~lost & ~again]
    if (np.diff(events["start_s"]) < 0).any():
        logger.warning("%s: events are not in order of time; sorted", path)
    return events.sort_values("start_s", kind="stable", ignore_index=True)


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
    # A block over the whole recording is inside whatever the clock of the others.
    others = (events["kind"] != "block").to_numpy()
    judged = others if others.any() else ~others
    if (outside & judged).sum() * 2 > judged.sum():
        worst = events.loc[outside, "start_s"].abs().max()
        raise RecordingError(
            path,
            f"{(outside & judged).sum()} of {judged.sum()} events are outside the recording of "
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

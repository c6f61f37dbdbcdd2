"""Tables as Markdown, CSV, LaTeX and HTML, and the files of a grid's tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...xp.files import write_text
from .page import Section, render

#: First characters of a cell that spreadsheets compute, and what is only numbers all the same.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBERS = re.compile(r"[-+]?\d[\d.,eE%±\s\[\]()+-]*")
LATEX = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "&%_#{}$"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "<": "$<$",
        ">": "$>$",
    }
)
Lines = Sequence[Mapping[str, str]]  # column -> cell of each line; all have the same columns


def to_markdown(lines: Lines) -> str:
    """Return Markdown with aligned columns."""
    columns = list(lines[0])
    widths = {c: max(len(c), *(len(line[c]) for line in lines)) for c in columns}
    text = ["| " + " | ".join(c.ljust(widths[c]) for c in columns) + " |"]
    text.append("|" + "|".join("-" * (widths[c] + 2) for c in columns) + "|")
    text += ["| " + " | ".join(line[c].ljust(widths[c]) for c in columns) + " |" for line in lines]
    return "\n".join(text) + "\n"


def to_csv(lines: Lines) -> str:
    """Return comma-separated values with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writerow({column: _as_text(column) for column in lines[0]})
    writer.writerows({name: _as_text(cell) for name, cell in line.items()} for line in lines)
    return out.getvalue()


def _as_text(cell: str) -> str:
    """Return a cell that a spreadsheet does not run as a formula; numbers stay numbers."""
    return f"'{cell}" if cell[:1] in FORMULA and not NUMBERS.fullmatch(cell) else cell


def _escaped(text: str) -> str:
    return text.translate(LATEX)


def to_latex(lines: Lines) -> str:
    """Return a `tabular` with rules of the booktabs package."""
    columns = list(lines[0])
    # Names to the left, numbers to the right, so that decimals stand below each other.
    text = [f"\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", "\\toprule"]
    text.append(" & ".join(_escaped(c) for c in columns) + " \\\\")
    text.append("\\midrule")
    text += [" & ".join(_escaped(line[c]) for c in columns) + " \\\\" for line in lines]
    return "\n".join([*text, "\\bottomrule", "\\end{tabular}"]) + "\n"


@dataclass
class Table:
    """One table of a grid.

    Attributes:
        title: its heading where there are several.
        name: end of its files, empty for the main table.
        lines: cells.
        sigs: name of a row -> signatures behind it.
        notes: lines under it.
        figures: SVG files with captions, on the HTML page.
    """

    title: str
    name: str
    lines: Lines
    sigs: Sequence[tuple[str, Sequence[str]]] = ()
    notes: Sequence[str] = ()
    figures: Sequence[tuple[Path, str]] = ()

    @property
    def stem(self) -> str:
        """Name of its CSV and LaTeX files without the ending."""
        return f"table-{self.name}" if self.name else "table"


def write_tables(grid: str, tables: Sequence[Table], folder: Path, simulated: bool) -> Path:
    """Write the tables of a grid in four forms.

    `table.md` and `table.html` hold all of them, one below the other; CSV and LaTeX, which
    programs read, are one file per table.

    Args:
        grid: its name.
        tables: the main one first.
        folder: where the files go.
        simulated: whether any of the data are made from equations.

    Returns:
        the Markdown file.
    """
    note = "simulated data: made from equations, no recording" if simulated else None
    parts = [f"{note}\n"] if note else []
    for table in tables:
        heading = f"## {table.title}\n\n" if table.name else ""
        foot = "".join(f"\n{text}\n" for text in table.notes)
        parts.append(heading + to_markdown(table.lines) + foot)
        write_text(folder / f"{table.stem}.csv", to_csv(table.lines))
        write_text(folder / f"{table.stem}.tex", to_latex(table.lines))
    write_text(folder / "table.md", "\n".join(parts))
    sections = [
        Section(
            table.title,
            table.notes,
            table.lines,
            table.figures,
            [(name, "\n".join(sigs)) for name, sigs in table.sigs],
        )
        for table in tables
    ]
    write_text(folder / "table.html", render(f"Table of {grid}", sections, note))
    return folder / "table.md"

"""The whole table of a grid: rows, tests, references, notes and figures, written in every form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ..experiments import Experiment
from . import comparison
from .figures import pictures
from .references import levels_of, published_of
from .rows import Page, Row, cells, collect, write_tables
from .variants import shared_parts


def rows_of_grid(
    grid: str, experiments: Sequence[Experiment], metrics: Sequence[str], outputs: Path
) -> list[Row]:
    """Rows of the evaluated experiments, each with the published row that it repeats.

    Args:
        grid: its name.
        experiments: of the grid.
        metrics: the main one first.
        outputs: folder with `eval`.
    """
    rows = collect(experiments, outputs / "eval", metrics[0], metrics[1:])
    published = published_of(grid, experiments)
    for row in rows:
        row.published = next((published.rows[s] for s in row.sigs if s in published.rows), None)
    return rows


def compare(rows: list[Row], against: str) -> None:
    """Test rows against the row `against`, and add the rows of all data sets together.

    Raises:
        UserError: there is no such row.
    """
    known = sorted({row.variant for row in rows})
    if against not in known:
        raise UserError(f"against={against}: no such row; rows: {', '.join(known)}")
    comparison.add_tests(rows, against)
    rows += comparison.pooled(rows, against)


def notes_of(experiments: Sequence[Experiment], against: str | None) -> list[str]:
    """Lines under a table: what rows share, what the tests are."""
    shared: dict[str, list[str]] = {}
    for dataset, parts in shared_parts(experiments).items():
        if parts:
            shared.setdefault(" ".join(parts), []).append(dataset)
    found = [f"All rows of {', '.join(names)}: {text}" for text, names in shared.items()]
    return found + (comparison.notes(against) if against is not None else [])


def table_of_grid(
    grid: str,
    experiments: Sequence[Experiment],
    metrics: Sequence[str],
    outputs: Path,
    against: str | None = None,
) -> Path:
    """Write the table of a grid; returns the Markdown file.

    Args:
        grid: its name.
        experiments: of the grid.
        metrics: the main one first.
        outputs: folder with `eval`; tables go into its folder `tables`.
        against: the reference row of paired tests.
    """
    rows = rows_of_grid(grid, experiments, metrics, outputs)
    if against is not None:
        compare(rows, against)
    levels = levels_of(grid, experiments, metrics[0], outputs)
    table = cells(rows, metrics[0], levels, metrics[1:])
    folder = outputs / "tables" / grid
    figures = []
    for name in dict.fromkeys(str(e.config.dset.name) for e in experiments):
        own = [e for e in experiments if str(e.config.dset.name) == name]
        places = [outputs / "eval" / e.sig for e in own]
        found = pictures(own, places, metrics[0], folder / name)
        figures += [(path, f"{name}. {caption}") for path, caption in found]
    page = Page(notes_of(experiments, against), figures)
    return write_tables(grid, rows, table, folder, page)

"""The tables of a grid: rows, tests, references, notes and figures, written in every form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ..experiments import Experiment
from ..seal import seal_table
from . import comparison
from .cells import table_cells
from .cost import NOTE, cost_cells
from .figures import figures_of
from .formats import Table, write_tables
from .overview import rank_lines
from .references import published_of, references_of
from .rows import Row, rows_of
from .stages import Stage, stages_of
from .variants import shared_parts


def rows_of_grid(
    grid: str, experiments: Sequence[Experiment], metrics: Sequence[str], outputs: Path
) -> list[Row]:
    """Return the rows of evaluated experiments, each with the published row that it repeats.

    Args:
        grid: its name.
        experiments: of its last stage.
        metrics: the main one first.
        outputs: folder with `eval`.
    """
    rows = rows_of(experiments, outputs / "eval", metrics)
    published = published_of(grid, experiments)
    for row in rows:
        row.published = next((published.rows[s] for s in row.sigs if s in published.rows), None)
    return rows


def compare(rows: list[Row], against: str) -> None:
    """Test rows against the row `against`, and add the rows of all data sets together.

    Raises:
        UserError: there is no such row, or rows that cannot be compared, see `check_rows`.
    """
    # Before any test: a wrong name would only leave all columns of p empty.
    names = sorted({row.variant for row in rows})
    if against not in names:
        raise UserError(f"against={against}: no such row; rows: {', '.join(names)}")
    comparison.check_rows(rows, against)
    comparison.add_tests(rows, against)
    rows += comparison.pooled_rows(rows, against)


def notes_of(
    experiments: Sequence[Experiment], against: str | None, rows: Sequence[Row] = ()
) -> list[str]:
    """Return the lines under a table: parts of names that rows share, tests, what a cost is."""
    shared: dict[str, list[str]] = {}
    for dataset, parts in shared_parts(experiments).items():
        if parts:
            shared.setdefault(" ".join(parts), []).append(dataset)
    lines = [f"All rows of {', '.join(names)}: {text}" for text, names in shared.items()]
    lines += comparison.notes(against) if against is not None else []
    return lines + ([NOTE] if any(any(cost_cells(row.costs).values()) for row in rows) else [])


def _signatures(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    return [(f"{row.dataset} {row.variant}", row.sigs) for row in rows]


def _last_table(grid: str, stage: Stage, outputs: Path, folder: Path, against: str | None) -> Table:
    """Return the table of the last stage, with tests, published rows and figures."""
    experiments, metrics = stage.experiments, stage.metrics
    rows = rows_of_grid(grid, experiments, metrics, outputs)
    if against is not None:
        compare(rows, against)
    references = references_of(grid, experiments, metrics[0], outputs)
    # A file per data set: people and windows of different ones share no axis.
    figures = []
    for name in dict.fromkeys(e.dataset for e in experiments):
        members = [e for e in experiments if e.dataset == name]
        folders = [outputs / "eval" / e.sig for e in members]
        drawn = figures_of(members, folders, metrics[0], folder / name)
        figures += [(path, f"{name}. {caption}") for path, caption in drawn]
    lines = table_cells(rows, metrics, references)
    notes = notes_of(experiments, against, rows) + rank_lines(rows, experiments, metrics[0])
    return Table(stage.title, "", lines, _signatures(rows), notes, figures)


def _stage_table(stage: Stage, outputs: Path) -> Table:
    """Return the table of a stage before the last: its rows beside its own chance rows."""
    rows = rows_of(stage.experiments, outputs / "eval", stage.metrics)
    lines, notes = table_cells(rows, stage.metrics, {}), notes_of(stage.experiments, None, rows)
    return Table(stage.title, stage.name, lines, _signatures(rows), notes)


def table_of_grid(
    grid: str,
    experiments: Sequence[Experiment],
    metrics: Sequence[str],
    outputs: Path,
    against: str | None = None,
) -> Path:
    """Write the tables of a grid, that of the last stage first; return the Markdown file.

    Args:
        grid: its name.
        experiments: of the grid.
        metrics: of the last stage, the main one first; empty = those that its evaluations name.
        outputs: folder with `eval`; tables go into its folder `tables`.
        against: the reference row of paired tests.

    Raises:
        UserError: no experiments, or no row `against`.
    """
    if not experiments:
        named = grid or "sigs=[]"
        raise UserError(f"{named} names no experiment: there is nothing to put into a table")
    folder = outputs / "tables" / grid
    last, *others = stages_of(experiments, outputs / "eval", metrics)
    tables = [_last_table(grid, last, outputs, folder, against)]
    # Published rows, observers and tests answer the question of the last stage alone.
    tables += [_stage_table(stage, outputs) for stage in others]
    path = write_tables(grid, tables, folder, any(e.simulated for e in experiments))
    seal_table(folder, outputs / "eval", [e.sig for e in experiments])
    return path

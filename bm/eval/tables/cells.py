"""Cells of a table as text: our rows, then chance, references and published values beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...metrics.intervals import Interval, seed_interval
from ...metrics.units import LEAST_UNITS, Units, counted
from ..published.rows import IDEAL, Reference
from .cost import cost_cells
from .rows import Row


def format_value(values: Sequence[float]) -> str:
    """Return `0.512 ± 0.020` over seeds, `0.512` for one, `missing` for none."""
    if not values:
        return "missing"
    mean = float(np.mean(values))
    # The sd of a sample (ddof=1), as publications report it over three to five seeds.
    return f"{mean:.3f} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else f"{mean:.3f}"


def value_cell(values: Sequence[float], interval: Interval | None) -> str:
    """Return a value over seeds; of one seed with its interval over units where there is one."""
    if len(values) == 1 and interval is not None:
        return f"{values[0]:.3f} {brackets(interval)}"
    return format_value(values)


def brackets(interval: Interval) -> str:
    """Return `[0.400, 0.600]`."""
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def interval_cell(interval: Interval | None, units: Units | None) -> str:
    """Return an interval, or that there were too few units for one; empty without units."""
    if interval is not None:
        return f"{interval[0]:.3f} to {interval[1]:.3f}"
    return too_few(units)


def too_few(units: Units | None) -> str:
    """Return `5 people: too few` where there are too few for any claim, else nothing."""
    return f"{units}: too few" if units is not None and units.few else ""


def people_cell(p: float | None, n: int) -> str:
    """Return a corrected p over people, or that there were too few; empty where none was tested."""
    if p is not None:
        return f"{p:.2g}"
    return f"{counted('person', n)}: too few" if 0 < n < LEAST_UNITS else ""


def comparison_cells(row: Row) -> dict[str, str]:
    """Return the cells of a row's tests against the reference row; empty without any."""
    if row.difference is None:
        return {}
    interval = row.difference_interval
    return {
        "difference": f"{row.difference:+.3f}" + (f" {brackets(interval)}" if interval else ""),
        "g": "" if row.effect is None else f"{row.effect:.2f}",
        "p, units": too_few(row.units) if row.p is None else f"{row.p:.2g}",
        "p, people": people_cell(row.p_people, row.n_people),
    }


def row_cells(row: Row, metrics: Sequence[str], ideal: float | None) -> dict[str, str]:
    """Return the cells of one of our rows, by column.

    Args:
        row: with its values and tests.
        metrics: names, the main one first.
        ideal: main metric of the ideal observer, where there is one.
    """
    values = {metrics[0]: row.values, **row.more}
    names = [name for name in metrics if name in values]
    cells = {name: value_cell(values[name], row.intervals.get(name)) for name in names}
    # People and seeds are separate sources: of who was measured, and of how it was trained.
    cells["95 % CI over units"] = interval_cell(row.interval, row.units)
    if len(row.values) > 1:
        seeds = Units("seed", np.arange(len(row.values)))
        cells["95 % CI over seeds"] = interval_cell(seed_interval(row.values), seeds)
    # Only above chance has the way there a length.
    if ideal is not None and row.chance is not None and row.values and ideal > row.chance:
        share = (float(np.mean(row.values)) - row.chance) / (ideal - row.chance)
        cells["from chance to ideal"] = f"{share:.0%}"
    if row.shift_p:  # the largest: what no seed contradicts
        cells["p, labels shifted"] = f"{max(row.shift_p):.2g}"
    cells["seeds"] = "" if row.pooled else str(len(row.values))
    cells["items"] = str(row.n_items or "")
    cells["units"] = "" if row.units is None else str(row.units)
    cells |= comparison_cells(row)
    if row.published is not None:
        published = row.published.values.get(row.dataset, {})
        cells["published as"] = row.published.name
        cells |= {
            f"published {name}": str(published[name]) for name in metrics if name in published
        }
        cells["published p, people"] = row.published.p if row.pooled else ""
    cells |= cost_cells(row.costs)
    cells["audit"] = "; ".join(row.marks)
    cells["missing"] = "; ".join(row.missing)
    return cells


def reference_cells(
    rows: Sequence[Row], others: Mapping[str, Mapping[str, Reference]], metrics: Sequence[str]
) -> list[dict[str, str]]:
    """Return the cells of a dataset's rows that are not ours.

    Args:
        rows: ours on the dataset; one of them tells chance and the evaluation's references.
        others: name of the row -> metric -> value, e.g. of the ideal observer.
        metrics: columns of the table; rows without any of them are left out.
    """
    # Chance is that of the test split: the same for every row that was evaluated.
    evaluated = next((row for row in reversed(rows) if row.chance is not None), rows[0])
    chances = {metrics[0]: evaluated.chance, **evaluated.chances}
    values: dict[str, dict[str, str]] = {
        "chance": {k: f"{v:.3f}" for k, v in chances.items() if v is not None}
    }
    references = next((row.references for row in rows if row.references), {})
    for name, numbers in references.items():
        values[name] = {k: f"{v:.3f}" for k, v in numbers.items()}
    for name, published in others.items():
        values[name] = {k: str(v) for k, v in published.items()}
    lines = [
        {"variant": name, **{k: texts[k] for k in metrics if k in texts}}
        for name, texts in values.items()
    ]
    return [line for line in lines if len(line) > 1]


def table_cells(
    rows: Sequence[Row],
    metrics: Sequence[str],
    references: Mapping[str, Mapping[str, Mapping[str, Reference]]],
) -> list[dict[str, str]]:
    """Return a table as text: of each dataset our rows, then chance and the others'.

    Args:
        rows: of one stage.
        metrics: a column each, the main one first.
        references: dataset -> name of the row -> metric -> value.

    Returns:
        column -> cell of every line; columns that are empty throughout are left out.
    """
    lines: list[dict[str, str]] = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        ours = [row for row in rows if row.dataset == dataset]
        label = f"{dataset} (simulated)" if ours[0].simulated else dataset
        others = references.get(dataset, {})
        ideal = others.get(IDEAL, {}).get(metrics[0])
        cells = [
            {"variant": row.variant, **row_cells(row, metrics, ideal.value if ideal else None)}
            for row in ours
        ]
        cells += reference_cells(ours, others, metrics)
        lines += [{"dataset": label, **line} for line in cells]
    # The metrics stand first in the order asked for, also where the first row lacks one.
    first = ["dataset", "variant", *metrics]
    columns = list(dict.fromkeys([*first, *(name for line in lines for name in line)]))
    filled = [name for name in columns if any(line.get(name) for line in lines)]
    return [{name: line.get(name, "") for name in filled} for line in lines]

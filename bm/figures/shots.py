"""Few-shot learning curves: a metric against the trials of each class that train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..metrics.intervals import Interval
from .curves import legend_room, shortened
from .style import DOUBLE_MM, PALETTE, draw_chance, figure, label_simulated, save

ALL = "all"  # label of the last place of the axis
APART = 0.06  # of a place, between the bars of two rows


@dataclass(frozen=True)
class Point:
    """Value of a metric, with its 95 % interval where there are units enough for one."""

    value: float
    interval: Interval | None = None


def draw_shots(
    rows: Mapping[str, Mapping[int | None, Point]],
    path: Path,
    metric: str,
    chance: float | None = None,
    simulated: bool = False,
) -> Path:
    """Draw a curve per row over the numbers of trials, one place each, with 95 % intervals.

    Args:
        rows: name of a row -> trials of each class (None = all) -> value.
        path: file to write, `.svg` or `.png`.
        metric: name of the axis.
        chance: level of a model that knows nothing.
        simulated: writes the label of simulated data.
    """
    counts = {count for values in rows.values() for count in values}
    order = [*sorted(count for count in counts if count is not None)]
    places: dict[int | None, int] = {count: place for place, count in enumerate(order)}
    if None in counts:
        places[None] = len(order)
    columns, letters = legend_room(list(rows), DOUBLE_MM)
    with figure(DOUBLE_MM, 62.0 + 4.0 * (len(rows) + 1) / columns) as (drawing, axis):
        for number, (name, values) in enumerate(rows.items()):
            colour = PALETTE[number % len(PALETTE)]
            shift = APART * (number - (len(rows) - 1) / 2)
            present = sorted(values, key=lambda count: places[count])
            x = [places[count] + shift for count in present]
            y = [values[count].value for count in present]
            label = shortened(name, letters)
            axis.plot(x, y, "o-", ms=3, color=colour, label=label)
            for place, count in zip(x, present, strict=True):
                ends = values[count].interval
                if ends is not None:
                    axis.vlines(place, *ends, color=colour, linewidth=1)
        if chance is not None:
            draw_chance(axis, chance)
        labels = [str(count) for count in order] + ([ALL] if None in counts else [])
        axis.set_xticks(range(len(labels)), labels)
        axis.set_xlabel("training trials of each class")
        axis.set_ylabel(metric.replace("_", " "))
        drawing.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=columns)
        label_simulated(drawing, simulated)
        return save(drawing, path)

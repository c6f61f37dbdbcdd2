"""Critical-difference picture of mean ranks, and cost against quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .style import (
    CHANCE_LINE,
    DOUBLE_MM,
    FAMILY_COLOURS,
    SINGLE_MM,
    draw_chance,
    figure,
    label_simulated,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, BAR, MARGIN = 1.0, 0.45, 0.05  # heights in rows of names; a bar ends a little outside


def draw_critical_difference(
    means: Mapping[str, float],
    path: Path,
    distance: float | None = None,
    groups: Sequence[Sequence[str]] = (),
    simulated: bool = False,
) -> Path:
    """Draw mean ranks on a line; bars join models that a critical distance does not tell apart.

    As in Demsar 2006 (JMLR 7, 1), figure 1.

    Args:
        means: model -> mean rank, 1 = best.
        path: file to write.
        distance: critical distance; None = too few data sets for a test, no bar is drawn.
        groups: models that are not told apart.
        simulated: writes the label of simulated data.
    """
    names = sorted(means, key=lambda name: means[name])
    left = (len(names) + 1) // 2  # the better half is named on the left
    bars = [group for group in groups if distance is not None]
    below = BAR * (len(bars) + 1)
    height = below + ROW * (left + 0.5)
    with figure(DOUBLE_MM, 14.0 + 5.0 * height) as (drawing, axis):
        worst = max(len(names), 2)
        for index, name in enumerate(names):
            near = index < left
            row = index if near else len(names) - 1 - index
            depth, edge = -below - ROW * (row + 0.5), 0.9 if near else worst + 0.1
            axis.plot([means[name], means[name], edge], [0, depth, depth], color="#333333", lw=0.7)
            text = f"{name}  {means[name]:.2f}" if near else f"{means[name]:.2f}  {name}"
            axis.annotate(
                text, (edge, depth), (-3 if near else 3, 0), textcoords="offset points",
                ha="right" if near else "left", va="center", fontsize=6.5,
            )  # fmt: skip
        for index, group in enumerate(bars):
            ranks = [means[name] for name in group]
            ends = (min(ranks) - MARGIN, max(ranks) + MARGIN)
            axis.plot(ends, [-BAR * (index + 1)] * 2, color="#000000", lw=2.2)
        _scale(axis, worst, distance)
        axis.set_xlim(-0.25 * worst, 1.25 * worst + 1)
        axis.set_ylim(-height - 0.2, 2.2)
        label_simulated(drawing, simulated)
        return save(drawing, path)


def _scale(axis: Axes, worst: int, distance: float | None) -> None:
    """Draw the line of ranks with its ticks, and the length of the critical distance above."""
    axis.set_axis_off()
    axis.plot([1, worst], [0, 0], color="#000000", lw=0.9)
    for rank in range(1, worst + 1):
        axis.plot([rank, rank], [0, 0.25], color="#000000", lw=0.7)
        axis.annotate(str(rank), (rank, 0.35), ha="center", va="bottom", fontsize=6)
    text = "mean rank (1 = best)"
    if distance is None:
        text += "; fewer than 6 data sets: no test"
    else:
        axis.plot([1, 1 + distance], [1.6, 1.6], color="#000000", lw=1.2)
        axis.annotate(f"critical distance {distance:.2f}", (1 + distance, 1.6), (3, 0),
                      textcoords="offset points", va="center", fontsize=6)  # fmt: skip
    axis.annotate(text, (worst, 1.6), ha="right", va="center", fontsize=6)


def draw_cost(
    points: Sequence[tuple[str, str, float, float]],
    path: Path,
    metric: str,
    chance: float | None = None,
    simulated: bool = False,
) -> Path:
    """Draw quality against the time of training, a named point for each model.

    Args:
        points: family, model, seconds of training, value.
        path: file to write.
        metric: name of the vertical axis.
        chance: level of a model that knows nothing.
        simulated: writes the label of simulated data.
    """
    with figure(SINGLE_MM * 1.4, 62.0) as (drawing, axis):
        for family, name, seconds, value in points:
            colour = FAMILY_COLOURS.get(family, CHANCE_LINE["color"])
            axis.plot(seconds, value, "o", ms=4, color=colour)
            axis.annotate(name, (seconds, value), (3, 3), textcoords="offset points", fontsize=6)
        axis.set_xscale("log")
        axis.margins(x=0.2, y=0.12)
        axis.set_xlabel("training (s)")
        axis.set_ylabel(metric.replace("_", " "))
        if chance is not None:
            draw_chance(axis, chance)
        label_simulated(drawing, simulated)
        return save(drawing, path)

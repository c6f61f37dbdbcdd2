"""Accuracy of every person, and accuracy against the number of people who train."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..metrics.intervals import seed_interval
from .style import (
    DOUBLE_MM,
    PALETTE,
    SINGLE_MM,
    draw_chance,
    figure,
    label_simulated,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = 16  # people at most whose names fit below a panel
LETTERS = 96  # of a title across the page
FEW = 8  # people up to whom panels stand side by side


@dataclass(frozen=True)
class Share:
    """Accuracy of a person: share from 0 to 1, with the ends of its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


def draw_people(
    rows: Mapping[str, Mapping[str, Share]],
    path: Path,
    metric: str,
    chance: float | None = None,
    simulated: bool = False,
) -> Path:
    """Draw a panel per row with every person's accuracy, its interval, and the mean of all.

    People stand in the same order in every panel, that of the first row's accuracies, so that a
    person stands below the same person.

    Args:
        rows: name of a row -> person -> accuracy.
        path: file to write, `.svg` or `.png`.
        metric: name of the axes.
        chance: level of a model that knows nothing.
        simulated: writes the label of simulated data.
    """
    people = list(dict.fromkeys(name for shares in rows.values() for name in shares))
    first = next(iter(rows.values()))
    people.sort(key=lambda name: (name not in first, -first[name].value if name in first else 0))
    columns = min(2, len(rows)) if len(people) <= FEW else 1
    count = -(-len(rows) // columns)
    with figure(DOUBLE_MM, 14.0 + 28.0 * count, count, columns) as (drawing, axes):
        places = np.atleast_1d(axes).ravel()
        for axis, (name, shares) in zip(places, rows.items(), strict=False):
            _draw_row(axis, [shares.get(person) for person in people])
            mean = np.mean([share.value for share in shares.values()])
            title = f"{name} ({len(shares)} people, mean {mean:.3f})"
            axis.set_title(textwrap.fill(title, LETTERS // columns), loc="left")
            axis.set_ylabel(metric.replace("_", " "))
            if chance is not None:
                draw_chance(axis, chance)
            axis.set_xticks([])
        for axis in places[max(0, len(rows) - columns) : len(rows)]:
            _name_people(axis, people)
        for axis in places[len(rows) :]:
            axis.set_visible(False)
        _same_height(places[: len(rows)])
        label_simulated(drawing, simulated)
        return save(drawing, path)


def _draw_row(axis: Axes, shares: Sequence[Share | None]) -> None:
    """Draw points with intervals at 0, 1, ...; nothing for people who were not tested."""
    tested = [(place, share) for place, share in enumerate(shares) if share is not None]
    x = [place for place, _ in tested]
    y = np.array([share.value for _, share in tested])
    axis.plot(x, y, "o", ms=3, color=PALETTE[0])
    for place, share in tested:
        if share.low is not None and share.high is not None:
            axis.plot([place, place], [share.low, share.high], linewidth=0.8, color=PALETTE[0])
    axis.axhline(y.mean(), color=PALETTE[5], linewidth=0.8)
    axis.set_xlim(-0.6, len(shares) - 0.4)


def _name_people(axis: Axes, people: Sequence[str]) -> None:
    """Write the names of a few people, else how they are ordered."""
    if len(people) <= NAMED:
        names = [name.rpartition("/")[2] for name in people]
        axis.set_xticks(range(len(people)), names, rotation=0 if len(people) <= FEW else 45)
    else:
        axis.set_xlabel("people, in the order of the first panel")


def _same_height(axes: Iterable[Axes]) -> None:
    """Give all panels one scale, from 0 up."""
    panels = list(axes)
    top = max(axis.get_ylim()[1] for axis in panels)
    for axis in panels:
        axis.set_ylim(0, top)


def draw_training_people(
    rows: Mapping[str, Mapping[int, Sequence[float]]],
    path: Path,
    metric: str,
    chance: float | None = None,
    simulated: bool = False,
) -> Path:
    """Draw the metric against the number of people who train: seeds as dots, mean, and of six
    seeds or more its 95 % interval over seeds.

    Args:
        rows: name of a row -> people who train -> value of each seed.
        path: file to write, `.svg` or `.png`.
        metric: name of the axis.
        chance: level of a model that knows nothing.
        simulated: writes the label of simulated data.
    """
    with figure(SINGLE_MM if len(rows) == 1 else DOUBLE_MM, 62.0) as (drawing, axis):
        for number, (name, values) in enumerate(rows.items()):
            colour, counts = PALETTE[number % len(PALETTE)], sorted(values)
            means = [float(np.mean(values[count])) for count in counts]
            axis.plot(counts, means, "-", color=colour, label=name)
            for count, mean in zip(counts, means, strict=True):
                seeds = np.asarray(values[count], dtype=float)
                axis.plot(np.full(len(seeds), count), seeds, "o", ms=2.5, alpha=0.4, color=colour)
                ends = seed_interval(seeds.tolist())
                if ends is not None:
                    half = (ends[1] - ends[0]) / 2
                    axis.errorbar(count, mean, yerr=half, fmt="_", color=colour, capsize=2)
        if chance is not None:
            draw_chance(axis, chance)
        axis.set_xlabel("people who train")
        counts = sorted({count for values in rows.values() for count in values})
        if len(counts) <= NAMED:
            axis.set_xticks(counts)
        axis.set_ylabel(metric.replace("_", " "))
        axis.set_ylim(bottom=0)
        if len(rows) > 1:
            axis.legend(loc="best")
        label_simulated(drawing, simulated)
        return save(drawing, path)

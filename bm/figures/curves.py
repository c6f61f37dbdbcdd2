"""Learning curves and scores of experiments, with chance level and uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics.intervals import seed_interval
from .style import (
    CHANCE_LINE,
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

LETTER_MM = 1.35  # of a legend, with its share of handles and gaps
STYLES = {"train": ":", "valid": "-"}
History = Sequence[Mapping[str, Mapping[str, float]]]


def values_of(history: History, stage: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs (from 1) and finite values of one metric; other epochs are left out.

    Returns:
        epochs: (n,) int; values: (n,) float.
    """
    points = [
        (index + 1, float(entry[stage][metric]))
        for index, entry in enumerate(history)
        if isinstance(entry.get(stage, {}).get(metric), int | float)
    ]
    # A run that diverged keeps its curve up to there; matplotlib would stretch the axis to inf.
    finite = [(epoch, value) for epoch, value in points if np.isfinite(value)]
    epochs = np.array([epoch for epoch, _ in finite], dtype=int)
    return epochs, np.array([value for _, value in finite], dtype=float)


def draw_learning_curves(
    histories: Mapping[str, Sequence[History]],
    metric: str,
    path: Path,
    chance: float | None = None,
    simulated: bool = False,
) -> Path:
    """Draw loss and one metric against the epoch: mean over seeds, band of one sd.

    There is one panel where the metric is the loss, or is measured at the end alone.

    Args:
        histories: name of a variant -> one history per seed.
        metric: name in the train and valid stages.
        path: file to write, `.svg` or `.png`.
        chance: level of a model that knows nothing.
        simulated: writes the label of simulated data.
    """
    runs_of_all = [run for runs in histories.values() for run in runs]
    in_epochs = any(len(values_of(run, s, metric)[0]) for run in runs_of_all for s in STYLES)
    metrics = list(dict.fromkeys(("loss", metric) if in_epochs else ("loss",)))
    width_mm = DOUBLE_MM if len(metrics) > 1 else SINGLE_MM
    columns, letters = legend_room(list(histories), width_mm)
    height_mm = 60.0 + 4.0 * (len(histories) + 2) / columns
    with figure(width_mm, height_mm, columns=len(metrics)) as (drawing, axes):
        axes = np.atleast_1d(axes)
        for axis, name in zip(axes, metrics, strict=True):
            for index, (label, runs) in enumerate(histories.items()):
                colour = PALETTE[index % len(PALETTE)]
                for stage, style in STYLES.items():
                    _draw_band(
                        axis,
                        [values_of(run, stage, name) for run in runs],
                        colour,
                        style,
                        shortened(label, letters) if stage == "valid" else None,
                    )
            axis.set_xlabel("epoch")
            axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axis.set_ylabel(name.replace("_", " "))
        if chance is not None and in_epochs:
            draw_chance(axes[-1], chance)
        # a metric of the last epoch alone would stand beside epochs that were never trained
        low, high = zip(*(axis.get_xlim() for axis in axes), strict=True)
        for axis in axes:
            axis.set_xlim(min(low), max(high))
        longest = max(map(len, runs_of_all), default=0)
        for stage, style in STYLES.items():
            axes[0].plot([], [], style, color="#555555", label=stage, **_points(longest, style))
        # Outside: inside it would hide the first epochs of some run.
        handles = axes[0].get_legend_handles_labels()
        drawing.legend(*handles, loc="outside upper center", ncols=columns)
        label_simulated(drawing, simulated)
        return save(drawing, path)


def legend_room(names: Sequence[str], width_mm: float) -> tuple[int, int]:
    """Return the columns of a legend above a figure, and the letters that a name may have in it."""
    letters = int((width_mm - 12.0) / 2 / LETTER_MM)
    if max(map(len, names), default=0) <= letters:
        return 2, letters
    return 1, int((width_mm - 12.0) / LETTER_MM)


def shortened(name: str, letters: int) -> str:
    """Return a name cut in its middle where it has more letters than there is room for.

    Names of variants differ at both ends: the first key and the last value.
    """
    if len(name) <= letters:
        return name
    half = (letters - 1) // 2
    return f"{name[:half]}…{name[-(letters - 1 - half) :]}"


def _points(count: int, style: str) -> dict[str, Any]:
    """Return markers where a curve is one point, which a line does not show: hollow for train."""
    if count != 1:
        return {}
    return {"marker": "o", "markersize": 3, "fillstyle": "none" if style == ":" else "full"}


def _draw_band(
    axis: Axes,
    runs: Sequence[tuple[np.ndarray, np.ndarray]],
    colour: str,
    style: str,
    label: str | None,
) -> None:
    """Draw the mean over runs at the epochs that all of them have, and the band of one sd."""
    runs = [run for run in runs if len(run[0])]
    if not runs:
        return
    # Runs that stopped early are shorter: a mean over fewer seeds would jump at their ends.
    shared = sorted(set.intersection(*(set(epochs.tolist()) for epochs, _ in runs)))
    rows = [dict(zip(epochs.tolist(), values, strict=True)) for epochs, values in runs]
    table = np.array([[row[epoch] for epoch in shared] for row in rows])
    mean, spread = table.mean(0), table.std(0, ddof=1) if len(runs) > 1 else np.zeros(len(shared))
    axis.plot(shared, mean, style, color=colour, label=label, **_points(len(shared), style))
    if len(runs) > 1:
        axis.fill_between(
            shared, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
        )


def draw_scores(
    scores: Mapping[str, Sequence[float]],
    path: Path,
    metric: str,
    references: Mapping[str, float] | None = None,
    simulated: bool = False,
) -> Path:
    """Draw a row per variant: every seed as a dot, the mean, and of six seeds or more its 95 %
    interval over seeds.

    Args:
        scores: name of a variant -> value of each seed.
        path: file to write.
        metric: name of the axis.
        references: values drawn as vertical lines, e.g. chance and ideal observer.
        simulated: writes the label of simulated data.
    """
    names = list(scores)
    with figure(DOUBLE_MM, 22.0 + 9.0 * len(names)) as (drawing, axis):
        for row, name in enumerate(names):
            values = np.asarray(scores[name], dtype=float)
            colour = PALETTE[row % len(PALETTE)]
            axis.plot(values, np.full(len(values), row), "o", ms=3, alpha=0.5, color=colour)
            ends = seed_interval(values.tolist())
            half = None if ends is None else (ends[1] - ends[0]) / 2
            axis.errorbar(values.mean(), row, xerr=half, fmt="|", color=colour, capsize=2)
        for index, (label, value) in enumerate((references or {}).items()):
            axis.axvline(value, **CHANCE_LINE)
            # Some of them may lie close together: their names stand on different heights.
            axis.annotate(
                label,
                (value, 1.0 + 0.06 * (index % 3)),
                xycoords=("data", "axes fraction"),
                ha="center",
                fontsize=6,
            )
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.4, -0.6)
        axis.set_xlabel(metric.replace("_", " "))
        label_simulated(drawing, simulated)
        return save(drawing, path)

"""Learning curves over shots: units left out in turn pooled, seeds averaged, 95 % intervals."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...figures.shots import Point, draw_shots
from .figures import Result
from .item_scores import Scores, mean_scores, read_scores
from .variants import BASE, BLANK

CAPTION = (
    "Few shots: mean over seeds, units left out in turn taken together; of six units of evidence "
    "or more their 95 % interval"
)
AXES = re.compile(r"(?:\w+\.)*(?:shots|left_out)=")  # parts of a name that are axes of the figure
#: Which people a data set has; a stage that was trained on them has an address of its own.
PEOPLE = re.compile(r",? ?\b(?:seed: \d+|subjects: \[[^\]]*\])")
ADDRESS = re.compile(r"//sig/[0-9a-f]{8}")
#: Metrics of which the items of several test splits may be pooled.
POOLED = ("balanced_accuracy", "accuracy")
#: Unit left out, and whom the data set has where that differs.
Unit = tuple[int | None, str]
Cells = dict[tuple[str, int | None], dict[Unit, list[Scores]]]


def people_of(result: Result) -> str:
    """Return which people the studies of an experiment have, as its configuration chooses them."""
    chosen = [(entry.get("seed"), entry.get("subjects")) for entry in result.studies]
    return str(chosen)


def row_of(result: Result, several: bool) -> list[str]:
    """Return the parts of a row's name that are no axis.

    Args:
        result: one experiment.
        several: experiments of different people are taken together.
    """
    parts = [p for p in BLANK.split(result.variant) if not AXES.match(p)]
    if not several:
        return parts
    return [ADDRESS.sub("//sig/...", PEOPLE.sub("", p)) for p in parts]


def cells_of(results: Sequence[Result], metric: str) -> Cells:
    """Return (row, shots) -> unit left out and people -> scores of each seed."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    several = len({people_of(result) for result in results}) > 1
    rows = [row_of(result, several) for result in results]
    shared = set(rows[0]).intersection(*rows) if several and len(set(map(tuple, rows))) > 1 else ()
    for result, row in zip(results, rows, strict=True):
        split = result.experiment.config.dset.get("split", {})
        extra = result.evaluation.get("extra", {})
        scores = read_scores(result.folder / "items.parquet", extra, metric)
        people = people_of(result) if several else ""
        if several and "study" in scores.items:
            # the first person of two simulations is not one person
            scores.items["study"] = scores.items["study"].astype(str) + people
        if len(scores):
            name = " ".join(part for part in row if part not in shared) or BASE
            cells[name, split.get("shots")][split.get("left_out"), people].append(scores)
    return cells


def points_of(cells: Cells) -> dict[str, dict[int | None, Point]]:
    """Return row -> shots -> score over all units that were left out, with its interval."""
    rows: dict[str, dict[int | None, Point]] = defaultdict(dict)
    for (name, shots), units in cells.items():
        pooled = Scores(pd.concat([mean_scores(seeds).items for seeds in units.values()]))
        value = float((pooled.items["score"] * pooled.weights()).sum())
        rows[name][shots] = Point(value, pooled.interval())
    return dict(rows)


def draw_shot_curves(results: Sequence[Result], metric: str, path: Path) -> Path | None:
    """Draw the accuracy against `dset.split.shots`; None where no row has two numbers of shots."""
    name = metric if metric in POOLED else POOLED[0]
    some = [r for r in results if "shots" in r.experiment.config.dset.get("split", {})]
    if len({r.experiment.config.dset.split.shots for r in some}) < 2:
        return None
    rows = points_of(cells_of(some, name))
    curves = {row: points for row, points in rows.items() if len(points) > 1}
    if not curves:
        return None
    chances = [r.evaluation["chance"].get(name) for r in some]
    chance = next((value for value in chances if value is not None), None)
    return draw_shots(curves, path, name, chance, any(r.experiment.simulated for r in some))

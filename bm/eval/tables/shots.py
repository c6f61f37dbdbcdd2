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
#: Metrics of which the items of several test splits may be pooled.
POOLED = ("balanced_accuracy", "accuracy")
Cells = dict[tuple[str, int | None], dict[int | None, list[Scores]]]


def cells_of(results: Sequence[Result], metric: str) -> Cells:
    """Return (row, shots) -> unit left out -> scores of each seed."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    for result in results:
        split = result.experiment.config.dset.get("split", {})
        extra = result.evaluation.get("extra", {})
        scores = read_scores(result.folder / "items.parquet", extra, metric)
        if len(scores):
            parts = [p for p in BLANK.split(result.variant) if not AXES.match(p)]
            cells[" ".join(parts) or BASE, split.get("shots")][split.get("left_out")].append(scores)
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

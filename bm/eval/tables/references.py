"""What stands beside our results in a table: references, ideal observers, published values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..experiments import Experiment
from ..published.matching import Published, published_beside
from ..published.rows import IDEAL, Level
from .ideal_observer import reference, retrieval_reference

#: dataset -> name of the row -> metric -> value.
Levels = dict[str, dict[str, dict[str, Level]]]


def ideal_levels(
    experiments: Sequence[Experiment], metric: str, folders: Sequence[Path], cache: Path
) -> dict[str, float]:
    """Metric -> what the observer that knows the simulation reaches; empty without one.

    Args:
        experiments: on one dataset.
        metric: main metric; where it is no retrieval it names the observer's accuracy.
        folders: of the experiments' evaluations, which may hold `items.parquet`.
        cache: where computed values are kept.
    """
    import pandas as pd

    if not experiments[0].simulated or "accuracy" not in metric:
        return {}
    for experiment, folder in zip(experiments, folders, strict=True):
        path = folder / "items.parquet"
        items = pd.read_parquet(path) if path.exists() else pd.DataFrame()
        if "segment_hash" in items:
            return retrieval_reference(experiment.config, items, cache)
    value = reference(experiments[0].config, cache)
    return {} if value is None else {metric: value}


def published_of(grid: str, experiments: Sequence[Experiment]) -> Published:
    """Published rows beside the experiments of a grid."""
    return published_beside(grid, {e.sig: e.config for e in experiments})


def levels_of(grid: str, experiments: Sequence[Experiment], metric: str, outputs: Path) -> Levels:
    """Rows that are not ours, by dataset: the ideal observer, then what was published.

    Args:
        grid: its name.
        experiments: of the grid.
        metric: main metric.
        outputs: folder with `eval`, and `observer` as cache.
    """
    published = published_of(grid, experiments)
    found: Levels = {}
    for dataset in dict.fromkeys(str(e.config.dset.name) for e in experiments):
        own = [e for e in experiments if str(e.config.dset.name) == dataset]
        folders = [outputs / "eval" / e.sig for e in own]
        ideal = ideal_levels(own, metric, folders, outputs / "observer")
        rows: dict[str, Mapping[str, Level]] = {}
        if ideal:
            rows[IDEAL] = {name: Level(value) for name, value in ideal.items()}
        for row in published.others.get(dataset, ()):
            rows[f"published: {row.name}"] = row.values[dataset]
        found[dataset] = {name: dict(values) for name, values in rows.items()}
    return found

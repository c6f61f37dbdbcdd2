"""Values of others beside our results in a table: ideal observers, published values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ..experiments import Experiment
from ..published.matching import Published, published_beside
from ..published.rows import IDEAL, Reference
from .ideal_observer import observer_accuracy, observer_retrieval

#: dataset -> name of the row -> metric -> value.
References = dict[str, dict[str, dict[str, Reference]]]


def ideal_references(
    experiments: Sequence[Experiment], metric: str, folders: Sequence[Path], cache: Path
) -> dict[str, float]:
    """Return metric -> value of the observer that knows the simulation; empty without one.

    Args:
        experiments: on one dataset.
        metric: main metric; where it is no retrieval it names the observer's accuracy.
        folders: of the experiments' evaluations, which may hold `items.parquet`.
        cache: where computed values are stored.
    """
    # The observer decides; what it would reach by a correlation or a loss nobody computed.
    if not experiments[0].simulated or "accuracy" not in metric:
        return {}
    for experiment, folder in zip(experiments, folders, strict=True):
        path = folder / "items.parquet"
        # The names of the columns alone: a thousand tables would take seconds.
        if path.exists() and "segment_hash" in pq.read_schema(path).names:
            return observer_retrieval(experiment.config, pd.read_parquet(path), cache)
    value = observer_accuracy(experiments[0].config, cache)
    return {} if value is None else {metric: value}


def published_of(grid: str, experiments: Sequence[Experiment]) -> Published:
    """Return the published rows beside the experiments of a grid."""
    return published_beside(grid, {e.sig: e.config for e in experiments})


def references_of(
    grid: str, experiments: Sequence[Experiment], metric: str, outputs: Path
) -> References:
    """Return the rows that are not ours, by dataset: the ideal observer, then published ones.

    Args:
        grid: its name.
        experiments: of the grid.
        metric: main metric.
        outputs: folder with `eval`, and `observer` as cache.
    """
    published = published_of(grid, experiments)
    references: References = {}
    for dataset in dict.fromkeys(e.dataset for e in experiments):
        members = [e for e in experiments if e.dataset == dataset]
        folders = [outputs / "eval" / e.sig for e in members]
        ideal = ideal_references(members, metric, folders, outputs / "observer")
        rows: dict[str, Mapping[str, Reference]] = {}
        if ideal:
            rows[IDEAL] = {name: Reference(value) for name, value in ideal.items()}
        for row in published.others.get(dataset, ()):
            rows[f"published: {row.name}"] = row.values[dataset]
        references[dataset] = {name: dict(values) for name, values in rows.items()}
    return references

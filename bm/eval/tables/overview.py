"""Lines under a table that rank models over its data sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..experiments import Experiment
from .ranks import Ranks, rank_models
from .rows import Row

#: Metrics of which less is better.
FALLING = ("rmse", "loss", "distance", "error", "divergence", "jsd", "mmd", "fid", "wasserstein",
           "mcd")  # fmt: skip


def is_falling(metric: str) -> bool:
    """Return whether less of a metric is better."""
    return any(word in metric for word in FALLING)


def label_of(experiment: Experiment) -> str:
    """Return the name of a model that is the same on every data set: `eegnet`, or `csp`."""
    config = experiment.config
    if experiment.solver == "baseline":
        return str(config.solver.method)
    name = config.get("model", {}).get("name") or config.get("model", {}).get("target")
    return str(name or experiment.solver)


def values_by_model(
    rows: Sequence[Row], experiments: Sequence[Experiment]
) -> dict[str, dict[str, float]]:
    """Return model -> data set -> mean over seeds; nothing where a model has two rows on one.

    Args:
        rows: of one stage.
        experiments: behind them.
    """
    labels = {e.sig: label_of(e) for e in experiments}
    values: dict[str, dict[str, float]] = {}
    for row in rows:
        if not row.values or row.pooled:
            continue
        members = values.setdefault(labels[row.sigs[0]], {})
        if row.dataset in members:  # an ablation: its rows are of one model
            return {}
        members[row.dataset] = float(np.mean(row.values))
    return values


def rank_lines(rows: Sequence[Row], experiments: Sequence[Experiment], metric: str) -> list[str]:
    """Return the mean ranks of the models of a table, and which are not told apart.

    Only models with a value on every data set of the table are ranked.

    Args:
        rows: of one stage.
        experiments: behind them.
        metric: main metric.
    """
    values = values_by_model(rows, experiments)
    datasets = {name for members in values.values() for name in members}
    whole = {model: members for model, members in values.items() if members.keys() == datasets}
    if len(whole) < 2 or len(datasets) < 2:
        return []
    return lines_of(rank_models(whole, larger_is_better=not is_falling(metric)))


def lines_of(ranks: Ranks) -> list[str]:
    """Return mean ranks in words, with Friedman's and Nemenyi's tests where there are enough."""
    listed = ", ".join(f"{name} {mean:.2f}" for name, mean in ranks.means.items())
    lines = [f"Mean ranks over {ranks.n_datasets} data sets, 1 = best: {listed}."]
    if ranks.p is None or ranks.distance is None:
        return [f"{lines[0]} Fewer than 6 data sets: no test."]
    groups = "; ".join(", ".join(group) for group in ranks.groups()) or "none"
    lines.append(
        f"Friedman's p that all are alike: {ranks.p:.2g}; mean ranks closer than "
        f"{ranks.distance:.2f} are not told apart (Nemenyi, .05): {groups}."
    )
    return lines

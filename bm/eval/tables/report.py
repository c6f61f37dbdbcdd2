"""The report of a grid: one static page with scores, curves and every experiment behind them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...figures import curves
from ..experiments import Experiment
from ..published.rows import IDEAL
from .figures import pictures
from .page import Section, render, write
from .references import ideal_levels
from .rows import format_value
from .variants import variants

#: CSS class of a state in the table of experiments.
STATE_CLASSES = {"done": "done", "missing": "failed", "failed": "failed", "unfinished": "note"}


def last_values(experiment: Experiment, stage: str) -> dict[str, float]:
    """Finite metrics of the last epoch that has the stage."""
    for entry in reversed(experiment.history):
        if stage in entry:
            return {
                name: float(value)
                for name, value in entry[stage].items()
                if isinstance(value, int | float) and math.isfinite(value)
            }
    return {}


def write_report(
    grid: str, experiments: Sequence[Experiment], folder: Path, metric: str = "balanced_accuracy"
) -> Path:
    """Write `index.html` and its figures; experiments that did not finish are shown as such.

    Args:
        grid: name for the heading.
        experiments: all experiments of the grid.
        folder: where the page and the figures go.
        metric: metric of the test stage that the scores show.

    Returns:
        the page.
    """
    datasets: dict[str, list[Experiment]] = defaultdict(list)
    for experiment in experiments:
        datasets[str(experiment.config.dset.name)].append(experiment)
    sections = [
        _dataset_section(name, members, folder, metric) for name, members in datasets.items()
    ]
    sections.append(_experiments_section(experiments, metric))
    simulated = any(e.simulated for e in experiments)
    note = "All data on this page are simulated." if simulated else None
    return write(folder / "index.html", render(f"Grid {grid}", sections, note))


def _dataset_section(
    name: str, experiments: Sequence[Experiment], folder: Path, metric: str
) -> Section:
    """Scores and learning curves of the experiments on one dataset."""
    scores: dict[str, list[float]] = defaultdict(list)
    histories: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    for experiment, variant in zip(experiments, variants(experiments), strict=True):
        value = last_values(experiment, "test").get(metric)
        if value is not None:
            scores[variant].append(value)
        if len(experiment.history) > 1:
            histories[variant].append(experiment.history)
    simulated = any(e.simulated for e in experiments)
    levels = _levels(experiments, metric, folder)
    drawn = []
    if scores:
        path = folder / f"{name}-scores.svg"
        curves.draw_scores(scores, path, f"test {metric}", levels, simulated)
        drawn.append((path, "Test score: seeds as dots, mean and 95 % interval over seeds"))
    if histories:
        path = folder / f"{name}-curves.svg"
        curves.draw_learning_curves(histories, metric, path, levels.get("chance"), simulated)
        drawn.append((path, "Learning curves: mean over seeds, band of one standard deviation"))
    drawn += pictures(experiments, [e.folder for e in experiments], metric, folder / name)
    return Section(name, rows=_score_rows(scores, levels, simulated), figures=drawn)


def _levels(experiments: Sequence[Experiment], metric: str, folder: Path) -> dict[str, float]:
    """Chance and, on simulated data, the observer that knows the simulation."""
    levels = {}
    chance = last_values(experiments[0], "test").get(f"chance_{metric}")
    if chance is not None:
        levels["chance"] = chance
    ideal = ideal_levels(experiments, metric, [e.folder for e in experiments], folder)
    if metric in ideal:
        levels[IDEAL] = ideal[metric]
    return levels


def _score_rows(
    scores: Mapping[str, Sequence[float]], levels: Mapping[str, float], simulated: bool
) -> list[dict[str, str]]:
    rows = []
    for name, values in scores.items():
        rows.append({"variant": name, "test": format_value(values), "seeds": str(len(values))})
    rows += [{"variant": name, "test": f"{level:.3f}"} for name, level in levels.items()]
    return [{**row, "data": "simulated"} for row in rows] if simulated else rows


def _experiments_section(experiments: Sequence[Experiment], metric: str) -> Section:
    """Every experiment with its signature and state, configuration folded."""
    from omegaconf import OmegaConf

    rows, folded = [], []
    for experiment in experiments:
        value = last_values(experiment, "test").get(metric)
        rows.append(
            {
                "experiment": experiment.name or "base",
                "sig": experiment.sig,
                "state": experiment.state,
                "epochs": str(len(experiment.history)),
                f"test {metric}": "" if value is None else f"{value:.3f}",
            }
        )
        folded.append((f"{experiment.sig} {experiment.name}", OmegaConf.to_yaml(experiment.config)))
    return Section("Experiments", rows=rows, folded=folded, classes=STATE_CLASSES)

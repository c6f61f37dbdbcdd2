"""The report of a grid: one static page with scores, curves and every experiment behind them."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from ...figures import curves
from ...xp.files import write_text
from ...xp.guard import guard_of
from ..experiments import Experiment
from ..published.rows import IDEAL
from .cells import format_value
from .figures import Result, figures_of, results_of
from .overview import is_falling
from .page import Section, render
from .references import ideal_references
from .scaling import CAPTION as POWER_LAW
from .scaling import draw_power_law
from .shots import CAPTION as SHOTS
from .shots import draw_shot_curves
from .stages import Stage, stages_of
from .variants import BASE, variants

#: Most rows that a figure draws, and most configurations that a page folds: of 1,000 experiments a
#: panel each took minutes, and nobody reads them.
MOST_CURVES, MOST_SCORES, MOST_PANELS, MOST_FOLDED = 12, 60, 24, 100

#: CSS class of a state in the table of experiments.
STATE_CLASSES = {
    "done": "done", "missing": "failed", "damaged": "failed", "failed": "failed",
    "unfinished": "note",
}  # fmt: skip


def last_values(experiment: Experiment, stage: str) -> dict[str, float]:
    """Return the finite metrics of the last epoch that has the stage."""
    # Not simply the last epoch: a test may run every few epochs.
    for entry in reversed(experiment.history):
        if stage in entry:
            return {
                name: float(value)
                for name, value in entry[stage].items()
                if isinstance(value, int | float) and math.isfinite(value)
            }
    return {}


def write_report(
    grid: str,
    experiments: Sequence[Experiment],
    folder: Path,
    evaluations: Path,
    metric: str | None = None,
) -> Path:
    """Write `index.html` and its figures; experiments that did not finish are shown as such.

    Args:
        grid: name for the heading.
        experiments: all experiments of the grid.
        folder: where the page and the figures go.
        evaluations: folder of evaluations by signature, which tell the stages of the grid.
        metric: of the test of the last stage; None = its main metric.

    Returns:
        the page.
    """
    stages = stages_of(experiments, evaluations, [metric] if metric else [])
    sections = []
    for stage in stages:
        datasets: dict[str, list[Experiment]] = defaultdict(list)
        for experiment in stage.experiments:
            datasets[experiment.dataset].append(experiment)
        sections += [
            _dataset_section(stage, name, members, folder) for name, members in datasets.items()
        ]
    sections.append(_experiments_section(stages))
    simulated = any(e.simulated for e in experiments)
    note = "All data on this page are simulated." if simulated else None
    path = folder / "index.html"
    write_text(path, render(f"Grid {grid}", sections, note, links_of(grid, folder)))
    return path


def links_of(grid: str, folder: Path) -> list[tuple[str, str]]:
    """Return the other pages of a grid that are there, as they are found from its report."""
    pages = {"table": f"tables/{grid}/table.html", "HiPlot": f"hiplot/{grid}.html"}
    root = folder.parent.parent
    return [(name, f"../../{page}") for name, page in pages.items() if (root / page).exists()]


def _dataset_section(
    stage: Stage, dataset: str, experiments: Sequence[Experiment], folder: Path
) -> Section:
    """Return scores and learning curves of the experiments of a stage on one dataset."""
    metric = stage.metrics[0]
    scores: dict[str, list[float]] = defaultdict(list)
    histories: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    for experiment, variant in zip(experiments, variants(experiments), strict=True):
        value = last_values(experiment, "test").get(metric)
        if value is not None:
            scores[variant].append(value)
        if len(experiment.history) > 1:  # one epoch (LDA, chance) is no curve
            histories[variant].append(experiment.history)
    simulated = any(e.simulated for e in experiments)
    results = results_of(experiments, [e.folder for e in experiments])
    references = _references(experiments, results, metric, folder)
    stem = f"{dataset}-{stage.name}" if stage.name else dataset
    figures, best = [], sorted(scores, key=lambda name: float(np.mean(scores[name])))
    if not is_falling(metric):
        best.reverse()
    paragraphs = capped(len(scores), len(histories))
    if scores:
        path = folder / f"{stem}-scores.svg"
        shown = {n: v for n, v in scores.items() if n in set(best[:MOST_SCORES])}
        curves.draw_scores(shown, path, f"test {metric}", references, simulated)
        figures.append((path, "Test score: seeds as dots, mean; of six or more its 95 % interval"))
    if histories:
        path = folder / f"{stem}-curves.svg"
        first = [n for n in (*best, *histories) if n in histories]
        some = {n: histories[n] for n in histories if n in set(first[:MOST_CURVES])}
        curves.draw_learning_curves(some, metric, path, references.get("chance"), simulated)
        figures.append((path, "Learning curves: mean over seeds, band of one standard deviation"))
    if len(scores) <= MOST_PANELS:
        figures += figures_of(experiments, [e.folder for e in experiments], metric, folder / stem)
    shots = draw_shot_curves(results, metric, folder / f"{stem}-shots.svg")
    law = draw_power_law(results, folder / f"{stem}-scaling.svg")
    figures += [
        (drawn, caption)
        for drawn, caption in ((shots, SHOTS), (law, POWER_LAW))
        if drawn is not None
    ]
    title = f"{dataset}, {stage.title}" if stage.name else dataset
    rows = _score_rows(scores, references, simulated, f"test {metric}")
    return Section(title, paragraphs, rows, figures)


def capped(scores: int, histories: int) -> list[str]:
    """Return what the figures leave out of so many rows; the table has all."""
    lines = []
    if scores > MOST_SCORES:
        lines.append(f"The figure of scores shows the best {MOST_SCORES} of {scores} rows.")
    if histories > MOST_CURVES:
        lines.append(f"Learning curves are those of the best {MOST_CURVES} of {histories} rows.")
    if scores > MOST_PANELS:
        lines.append(f"People are not drawn for more than {MOST_PANELS} rows.")
    return lines


def _references(
    experiments: Sequence[Experiment], results: Sequence[Result], metric: str, folder: Path
) -> dict[str, float]:
    """Return chance, what evaluations hold beside it (white noise, real data, neighbours), and, on
    simulated data, the accuracy of the observer that knows them."""
    references = {}
    # Of the first that has one: an experiment that never ran has no history.
    chances = (last_values(e, "test").get(f"chance_{metric}") for e in experiments)
    chance = next((value for value in chances if value is not None), None)
    if chance is not None:
        references["chance"] = chance
    beside: dict[str, list[float]] = defaultdict(list)
    for result in results:
        for name, values in result.evaluation.get("extra", {}).get("references", {}).items():
            if isinstance(values.get(metric), int | float):
                beside[name].append(float(values[metric]))
    references |= {name: float(np.mean(values)) for name, values in beside.items()}
    ideal = ideal_references(experiments, metric, [e.folder for e in experiments], folder)
    if metric in ideal:
        references[IDEAL] = ideal[metric]
    return references


def _score_rows(
    scores: Mapping[str, Sequence[float]],
    references: Mapping[str, float],
    simulated: bool,
    title: str,
) -> list[dict[str, str]]:
    rows = []
    for name, values in scores.items():
        rows.append({"variant": name, title: format_value(values), "seeds": str(len(values))})
    rows += [{"variant": name, title: f"{value:.3f}"} for name, value in references.items()]
    return [{**row, "data": "simulated"} for row in rows] if simulated else rows


def _experiments_section(stages: Sequence[Stage]) -> Section:
    """Return every experiment with its signature and state, configuration folded."""
    rows: list[dict[str, str]] = []
    folded: list[Any] = []
    for stage in stages:
        metric = stage.metrics[0]
        for experiment in stage.experiments:
            value = last_values(experiment, "test").get(metric)
            rows.append(
                {
                    "experiment": experiment.name or BASE,
                    "sig": experiment.sig,
                    "state": experiment.state,
                    "epochs": str(len(experiment.history)),
                    f"test {metric}": "" if value is None else f"{value:.3f}",
                    "commit": str(_guard(experiment).get("commit") or "")[:10],
                    "finished": _finished(experiment),
                    "audit": "; ".join(experiment.marks),
                }
            )
            if len(folded) < MOST_FOLDED:
                config = OmegaConf.to_yaml(experiment.config)
                folded.append((f"{experiment.sig} {experiment.name}", config))
    return Section("Experiments", rows=rows, folded=folded, classes=STATE_CLASSES)


def _guard(experiment: Experiment) -> dict[str, Any]:
    return guard_of(experiment.folder)


def _finished(experiment: Experiment) -> str:
    """Return the day on which an experiment finished, empty when it has not."""
    path = experiment.folder / "finished.json"
    if experiment.state != "done" or not path.exists():
        return ""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))

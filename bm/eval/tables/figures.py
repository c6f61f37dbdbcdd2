"""Figures beside a table: every person, and how many people train."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...figures.people import Share, draw_people, draw_training_people
from ...xp.files import read_evaluation
from ..experiments import Experiment
from .item_scores import Scores, mean_scores, read_scores
from .variants import BLANK, variants

PEOPLE = (
    "Every person: mean over seeds; of six or more recordings, sessions or stimuli of a person "
    "their 95 % interval"
)
TRAINING = (
    "People who train: seeds as dots, their mean, and of six seeds or more its 95 % interval over "
    "seeds"
)
COUNT = re.compile(r"\w+\.n_subjects=")  # a part of a name, shortened or not


@dataclass(frozen=True)
class Result:
    """An evaluated experiment: its row, and its evaluation as plain values."""

    experiment: Experiment
    variant: str
    evaluation: dict[str, Any]
    folder: Path

    @property
    def studies(self) -> list[dict[str, Any]]:
        """Entries of `dset.studies`."""
        entries: Any = self.experiment.config.dset.get("studies") or ()
        return [dict(entry) for entry in entries]

    @property
    def item_metric(self) -> str | None:
        """Metric that scores its items; None: whether the class was right."""
        return next(iter(self.evaluation.get("extra", {}).get("item_scores", ())), None)


def results_of(experiments: Sequence[Experiment], folders: Sequence[Path]) -> list[Result]:
    """Return the results of the experiments that were evaluated.

    Args:
        experiments: on one dataset.
        folders: of the evaluations: `metrics.json`, or `evaluation.json` of the experiment itself.
    """
    results = []
    for e, name, folder in zip(experiments, variants(experiments), folders, strict=True):
        names = ("metrics.json", "evaluation.json")
        evaluation = next(filter(None, (read_evaluation(folder / name) for name in names)), None)
        if evaluation is not None:
            results.append(Result(e, name, evaluation, folder))
    return results


def shares_of(scores: Scores) -> dict[str, Share]:
    """Return the accuracy of every person, with its interval over the units within that person.

    One person's recordings, sessions or stimuli are units of what is said of that person alone; of
    fewer than six there is no interval. Means over seeds: more seeds do not narrow it.
    """
    shares = {}
    for name, value in scores.people.items():
        ends = scores.of_person(name).interval()
        shares[name] = Share(value, *(ends or (None, None)))
    return shares


def draw_every_person(results: Sequence[Result], metric: str, path: Path) -> Path | None:
    """Draw a panel per row; None where there are fewer than two people, or no scores of items.

    Where items are classes the share of those that were right is drawn, whatever the metric.
    """
    parts: dict[str, list[Scores]] = defaultdict(list)
    chances = []
    name = metric if any(result.item_metric for result in results) else "accuracy"
    for result in results:
        items = result.folder / "items.parquet"
        scores = read_scores(items, result.evaluation.get("extra", {}), name)
        # Evaluations without items, or with items of nobody, have no place in the figure.
        if scores.people:
            parts[result.variant].append(scores)
            chances.append(result.evaluation["chance"].get(name))
    rows = {variant: shares_of(mean_scores(seeds)) for variant, seeds in parts.items()}
    rows = {variant: shares for variant, shares in rows.items() if shares}
    if len({person for shares in rows.values() for person in shares}) < 2:
        return None
    simulated = any(result.experiment.simulated for result in results)
    return draw_people(rows, path, name, chances[0], simulated)


def draw_training_counts(results: Sequence[Result], metric: str, path: Path) -> Path | None:
    """Draw the metric against `dset.n_subjects`; None where no row has two numbers of people."""
    rows: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    chance = None
    for result in results:
        count = result.experiment.config.dset.get("n_subjects")
        if count is None or metric not in result.evaluation["metrics"]:
            continue
        # The number of people is the axis: it must not tell the rows apart.
        parts = [p for p in BLANK.split(result.variant) if not COUNT.match(p)]
        rows[" ".join(parts)][int(count)].append(float(result.evaluation["metrics"][metric]))
        chance = result.evaluation["chance"].get(metric, chance)
    # A curve needs two points.
    curves = {name: values for name, values in rows.items() if len(values) > 1}
    if not curves:
        return None
    simulated = any(result.experiment.simulated for result in results)
    return draw_training_people(curves, path, metric, chance, simulated)


def figures_of(
    experiments: Sequence[Experiment], folders: Sequence[Path], metric: str, stem: Path
) -> list[tuple[Path, str]]:
    """Draw the figures of the experiments on one dataset; return files and captions.

    Args:
        experiments, folders: see `results_of`.
        metric: main metric of the table.
        stem: beginning of the files' paths.
    """
    results = results_of(experiments, folders)
    figures = []
    for draw, caption, ending in (
        (draw_every_person, PEOPLE, "people"),
        (draw_training_counts, TRAINING, "training"),
    ):
        path = draw(results, metric, stem.with_name(f"{stem.name}-{ending}.svg"))
        if path is not None:
            figures.append((path, caption))
    return figures

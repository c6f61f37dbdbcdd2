"""Figures beside a table: every person, and how many people train."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...figures.people import Share, draw_people, draw_training_people
from ...metrics.classification import wilson_interval
from ...xp.files import read_json
from ..experiments import Experiment
from .item_scores import Scores, mean_scores, read_scores
from .variants import BLANK, variants

PEOPLE = "Every person: mean over seeds, Wilson's 95 % interval over the test windows"
TRAINING = "People who train: seeds as dots, mean and 95 % interval over seeds"
COUNT = re.compile(r"\w+\.n_subjects=")  # a part of a name, shortened or not


@dataclass(frozen=True)
class Result:
    """An evaluated experiment: its row, and what its evaluation holds."""

    experiment: Experiment
    variant: str
    stored: dict[str, Any]
    folder: Path

    @property
    def scored(self) -> str | None:
        """What scores the items; None: whether the class was right."""
        return next(iter(self.stored.get("extra", {}).get("item_scores", ())), None)


def results_of(experiments: Sequence[Experiment], folders: Sequence[Path]) -> list[Result]:
    """Those that were evaluated.

    Args:
        experiments: on one dataset.
        folders: of the evaluations: `metrics.json`, or `evaluation.json` of the experiment itself.
    """
    found = []
    for e, name, folder in zip(experiments, variants(experiments), folders, strict=True):
        stored = read_json(folder / "metrics.json") or read_json(folder / "evaluation.json")
        if stored is not None:
            found.append(Result(e, name, stored, folder))
    return found


def shares_of(scores: Scores) -> dict[str, Share]:
    """Accuracy of every person with Wilson's interval; seeds hear the same windows."""
    return {
        name: Share(value, *wilson_interval(value, scores.counts[name]))
        for name, value in scores.people.items()
    }


def draw_every_person(results: Sequence[Result], metric: str, path: Path) -> Path | None:
    """A panel per row; None where fewer than two people are known, or items have no score.

    Where items are classes the share of those that were right is drawn, whatever the metric.
    """
    parts: dict[str, list[Scores]] = defaultdict(list)
    levels = []
    name = metric if any(result.scored for result in results) else "accuracy"
    for result in results:
        items = result.folder / "items.parquet"
        scores = read_scores(items, result.stored.get("extra", {}), name)
        if scores.people:
            parts[result.variant].append(scores)
            levels.append(result.stored["chance"].get(name))
    rows = {variant: shares_of(mean_scores(own)) for variant, own in parts.items()}
    rows = {variant: own for variant, own in rows.items() if own}
    if len({person for own in rows.values() for person in own}) < 2:
        return None
    simulated = any(result.experiment.simulated for result in results)
    return draw_people(rows, path, name, levels[0], simulated)


def draw_training_counts(results: Sequence[Result], metric: str, path: Path) -> Path | None:
    """The metric against `dset.n_subjects`; None where the experiments do not differ in it."""
    rows: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    chance = None
    for result in results:
        count = result.experiment.config.dset.get("n_subjects")
        if count is None or metric not in result.stored["metrics"]:
            continue
        parts = [p for p in BLANK.split(result.variant) if not COUNT.match(p)]
        rows[" ".join(parts)][int(count)].append(float(result.stored["metrics"][metric]))
        chance = result.stored["chance"].get(metric, chance)
    kept = {name: values for name, values in rows.items() if len(values) > 1}
    if not kept:
        return None
    simulated = any(result.experiment.simulated for result in results)
    return draw_training_people(kept, path, metric, chance, simulated)


def pictures(
    experiments: Sequence[Experiment], folders: Sequence[Path], metric: str, stem: Path
) -> list[tuple[Path, str]]:
    """Figures of the experiments on one dataset with their captions.

    Args:
        experiments, folders: see `results_of`.
        metric: main metric of the table.
        stem: beginning of the files' paths.
    """
    results = results_of(experiments, folders)
    found = []
    for draw, caption, ending in (
        (draw_every_person, PEOPLE, "people"),
        (draw_training_counts, TRAINING, "training"),
    ):
        path = draw(results, metric, stem.with_name(f"{stem.name}-{ending}.svg"))
        if path is not None:
            found.append((path, caption))
    return found

"""Rows of a table: one variant on one dataset, its values over seeds and what they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...metrics.intervals import Interval
from ...metrics.units import Units
from ...xp.files import read_evaluation
from ...xp.resolve import to_plain
from ..experiments import Experiment
from ..published.rows import PublishedRow
from .cost import Cost, cost_of
from .item_scores import Scores, mean_scores, read_scores
from .protocol import Origin, flat
from .variants import variants


@dataclass
class Row:
    """One variant on one dataset.

    Attributes:
        dataset, variant: name of its row.
        values: main metric of each seed that was evaluated.
        chance: its chance level; `chances` those of all metrics.
        shift_p: of each seed, that of its balanced accuracy when labels are shifted in time.
        n_items: test items.
        missing: experiments without a result, with their state.
        sigs: signatures behind the row.
        scores: means over seeds of the main metric's score of each test item and person.
        simulated: whether the data are simulated.
        units: of its test items; of a test those that both rows tested.
        difference: mean difference of its items' scores from the reference row's.
        difference_interval: its 95 % interval over units, None of too few.
        effect: Hedges' g of the differences of units.
        p: corrected p of the paired test over units against the reference row.
        p_people: corrected p of the signed-rank test over people against it.
        n_people: people in that test; 0 = not tested.
        more: other metrics of each seed, by name.
        intervals: 95 % interval over units of each metric, of the seed read last.
        interval: 95 % interval over units of the main metric's mean over seeds.
        origins: experiments behind the values, and what their data are.
        lacking: what an evaluation lacks of the table's main metric.
        references: name of a reference -> metric -> value, chance excepted.
        published: the published row that it repeats.
        marks: what the audits of its experiments say of their numbers, each once.
        costs: what each evaluated seed took.
        pooled: the row is of all data sets, and has the publication's p beside its own.
    """

    dataset: str
    variant: str
    values: list[float] = field(default_factory=list)
    chance: float | None = None
    n_items: int = 0
    missing: list[str] = field(default_factory=list)
    sigs: list[str] = field(default_factory=list)
    scores: Scores = field(default_factory=Scores)
    simulated: bool = False
    p: float | None = None
    p_people: float | None = None
    n_people: int = 0
    more: dict[str, list[float]] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    chances: dict[str, float] = field(default_factory=dict)
    published: PublishedRow | None = None
    marks: list[str] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    pooled: bool = False
    units: Units | None = None
    interval: Interval | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    effect: float | None = None
    origins: list[Origin] = field(default_factory=list)
    lacking: str = ""
    shift_p: list[float] = field(default_factory=list)

    def add(self, evaluation: dict[str, Any], metrics: Sequence[str]) -> None:
        """Add the evaluation of one seed.

        Args:
            evaluation: metrics, chance, n_items and extra, as `metrics.json` holds them.
            metrics: of the table, the main one first; further ones where the evaluation has them.
        """
        measured, extra = evaluation["metrics"], evaluation.get("extra", {})
        self.values.append(float(measured[metrics[0]]))
        for name in metrics[1:]:
            if name in measured:
                self.more.setdefault(name, []).append(float(measured[name]))
        self.chance = evaluation["chance"].get(metrics[0])
        self.chances = dict(evaluation["chance"])
        # Without a unit they took windows for independent, as evaluations did before they named it.
        intervals = extra.get("intervals", {}) if "unit" in extra else {}
        self.intervals = {k: (v[0], v[1]) for k, v in intervals.items()}
        self.references = dict(extra.get("references", {}))
        self.shift_p += [extra["shift_p"]] if "shift_p" in extra else []
        self.n_items = int(evaluation["n_items"])

    def is_mean_of(self, scores: Scores) -> bool:
        """Return whether the main metric is the mean of these scores of items."""
        mean = float((scores.items["score"] * scores.weights()).sum())
        return bool(self.values) and abs(mean - float(np.mean(self.values))) < 1e-6


def _origin(experiment: Experiment, evaluation: dict[str, Any]) -> Origin:
    """Return what the data of an evaluated experiment are."""
    dset = flat(to_plain(experiment.config.dset))
    return Origin(experiment.sig, evaluation.get("data_hash"), dset, experiment.marks)


def rows_of(experiments: Sequence[Experiment], folder: Path, metrics: Sequence[str]) -> list[Row]:
    """Build the rows of experiments from their evaluations, in the order of the grid.

    Args:
        experiments: of one stage of a grid.
        folder: evaluations by signature.
        metrics: of the table, the main one first: an experiment without it counts as missing.
    """
    rows: dict[tuple[str, str], Row] = {}
    scores: dict[tuple[str, str], list[Scores]] = defaultdict(list)
    for experiment, variant in zip(experiments, variants(experiments), strict=True):
        key = (experiment.dataset, variant)
        row = rows.setdefault(key, Row(*key))
        row.sigs.append(experiment.sig)
        # One simulated recording is enough: the label is never missing where it belongs.
        row.simulated |= experiment.simulated
        row.marks += [mark for mark in experiment.marks if mark not in row.marks]
        # Of `scripts.run_eval` alone: it names the commit and the data behind the number.
        evaluation = read_evaluation(folder / experiment.sig / "metrics.json")
        if evaluation is None or metrics[0] not in evaluation["metrics"]:
            reason = _reason(experiment) if evaluation is None else f"no {metrics[0]}"
            row.missing.append(f"{experiment.sig}: {reason}")
            if evaluation is not None:
                row.lacking = f"{experiment.sig} has {reason}"
            continue
        row.add(evaluation, metrics)
        row.costs.append(cost_of(experiment.history))
        row.origins.append(_origin(experiment, evaluation))
        items = folder / experiment.sig / "items.parquet"
        scores[key].append(read_scores(items, evaluation.get("extra", {}), metrics[0]))
    for key, parts in scores.items():
        row = rows[key]
        row.scores = mean_scores(parts)
        if len(row.scores):
            row.units = row.scores.units
            # of another metric than the items are scored by it would be another number's
            row.interval = row.scores.interval() if row.is_mean_of(row.scores) else None
    return list(rows.values())


def _reason(experiment: Experiment) -> str:
    """Return why an experiment has no result: a finished one waits for `scripts.run_eval`."""
    return "not evaluated" if experiment.state == "done" else experiment.state

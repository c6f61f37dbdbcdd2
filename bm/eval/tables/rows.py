"""Rows of a table: one variant on one dataset, its values over seeds and what they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...xp.files import read_or_warn
from ..experiments import Experiment
from ..published.rows import PublishedRow
from .item_scores import Scores, mean_scores, read_scores
from .variants import variants


@dataclass
class Row:
    """One variant on one dataset.

    Attributes:
        dataset, variant: name of its row.
        values: main metric of each seed that was evaluated.
        chance: its chance level; `chances` those of all metrics.
        n_items: test items.
        missing: experiments without a result, with their state.
        sigs: signatures behind the row.
        scores: means over seeds of the main metric's score of each test item and person.
        simulated: whether the data are simulated.
        p: corrected p of the paired test over test items against the reference row.
        p_people: corrected p of the signed-rank test over people against it.
        n_people: people in that test; 0 = not tested.
        more: other metrics of each seed, by name.
        intervals: resampled 95 % interval of each metric, of the seed read last.
        references: name of a reference -> metric -> value, chance excepted.
        published: the published row that it repeats.
        marks: what the audits of its experiments say of their numbers, each once.
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
    pooled: bool = False

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
        # Of one seed: over several the interval over seeds is shown instead.
        self.intervals = {k: (v[0], v[1]) for k, v in extra.get("intervals", {}).items()}
        self.references = dict(extra.get("references", {}))
        self.n_items = int(evaluation["n_items"])


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
        evaluation = read_or_warn(folder / experiment.sig / "metrics.json")
        if evaluation is None or metrics[0] not in evaluation["metrics"]:
            reason = _reason(experiment) if evaluation is None else f"no {metrics[0]}"
            row.missing.append(f"{experiment.sig}: {reason}")
            continue
        row.add(evaluation, metrics)
        items = folder / experiment.sig / "items.parquet"
        scores[key].append(read_scores(items, evaluation.get("extra", {}), metrics[0]))
    for key, parts in scores.items():
        rows[key].scores = mean_scores(parts)
    return list(rows.values())


def _reason(experiment: Experiment) -> str:
    """Return why an experiment has no result: a finished one waits for `scripts.run_eval`."""
    return "not evaluated" if experiment.state == "done" else experiment.state

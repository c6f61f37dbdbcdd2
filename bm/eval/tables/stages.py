"""Stages of a grid: which experiments one table may compare, and by which metrics.

A grid may train a tokenizer, pre-train with its codes and fine-tune from the result. Every stage
has a main metric of its own, the first that its evaluation names in `extra["table"]`; a correlation
of a reconstruction and a balanced accuracy never stand in one column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError, nearest
from ...solvers import SOLVERS
from ..experiments import Experiment

#: Solver and main metric of a stage before the last; no solver: the last stage.
Key = tuple[str, str]
LAST: Key = ("", "")


@dataclass(frozen=True)
class Stage:
    """Experiments that one table compares.

    Attributes:
        name: solver and main metric; empty for the last stage, whose table is the grid's.
        metrics: columns of its table, the main metric first.
        experiments: in the order of the grid.
    """

    name: str
    metrics: tuple[str, ...]
    experiments: tuple[Experiment, ...]

    @property
    def title(self) -> str:
        """Heading of its table."""
        if not self.name:
            return "Results"
        return f"{self.experiments[0].solver}: {self.metrics[0]}"


def table_metrics(experiment: Experiment, folder: Path) -> tuple[str, ...]:
    """Return the metrics that an experiment's evaluation shows; empty before its evaluation.

    Args:
        experiment: read from its folder.
        folder: evaluations by signature.
    """
    evaluation = experiment.evaluation(folder)
    if evaluation is None:
        return ()
    # What was evaluated before evaluations named their metrics were classifications.
    return tuple(evaluation.get("extra", {}).get("table", ())) or ("balanced_accuracy",)


def _union(tables: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for table in tables for name in table))


def _last_metrics(
    members: Sequence[Experiment], tables: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return the metrics of the last stage: the main one is that of most of its experiments.

    Before any evaluation it is the metric by which the first experiment's solver selects its best
    weights.
    """
    evaluated = [tables[e.sig] for e in members if tables[e.sig]]
    if not evaluated:
        return (SOLVERS.get(members[0].solver).main_metric[0],)
    # Of the tables that name it first: secondary metrics of others would be empty columns.
    main = Counter(table[0] for table in evaluated).most_common(1)[0][0]
    return _union(table for table in evaluated if table[0] == main)


def stages_of(
    experiments: Sequence[Experiment], folder: Path, metrics: Sequence[str] = ()
) -> list[Stage]:
    """Group the experiments of a grid by what may be compared.

    The last stage are the experiments that no other one of the grid begins from, with those of
    their own solvers that do, as long as they share the main metric. All others go by solver and
    main metric. What is not evaluated yet goes with the evaluated ones of its solver and dataset.

    Args:
        experiments: of the grid, at least one.
        folder: evaluations by signature.
        metrics: columns of the last stage's table, the main one first; empty = those that most of
            its evaluations name.

    Returns:
        the last stage first, then the others in the order of the grid.
    """
    upstream = set().union(*(e.upstream for e in experiments))
    leaves = [e for e in experiments if e.sig not in upstream]
    tables = {e.sig: table_metrics(e, folder) for e in experiments}
    _check_metrics(experiments, folder, metrics)
    columns = tuple(metrics) or _last_metrics(leaves, tables)
    solvers = {e.solver for e in leaves}
    keys: dict[str, Key] = {}
    # Solver and metric both: an accuracy of guessed codes and one of classes share the name.
    for e in experiments:
        if e.solver in solvers and _has(e, columns[0], folder if metrics else None, tables[e.sig]):
            keys[e.sig] = LAST
        elif tables[e.sig]:
            keys[e.sig] = (e.solver, tables[e.sig][0])
    # Once for all: with a thousand experiments, pairs of them would take minutes.
    places: dict[tuple[str, str | None], Key] = {}
    for e in experiments:
        if e.sig in keys:
            places.setdefault((e.solver, e.dataset), keys[e.sig])
            places.setdefault((e.solver, None), keys[e.sig])
    keys = {e.sig: keys.get(e.sig) or _key_like(e, places, solvers) for e in experiments}
    groups: dict[Key, list[Experiment]] = {LAST: []}
    for e in experiments:
        groups.setdefault(keys[e.sig], []).append(e)
    stages = []
    for key, members in groups.items():
        shown = columns if key == LAST else _union(tables[e.sig] for e in members) or key[1:]
        if members:
            stages.append(Stage("-".join(key) if key != LAST else "", shown, tuple(members)))
    return stages


def _check_metrics(experiments: Sequence[Experiment], folder: Path, metrics: Sequence[str]) -> None:
    """Raise `UserError` for a metric that no evaluation has, once there is one."""
    evaluations = [e.evaluation(folder) for e in experiments] if metrics else []
    names = {name for evaluation in evaluations if evaluation for name in evaluation["metrics"]}
    for metric in metrics:
        if names and metric not in names:
            raise UserError(f"metric={metric}: no evaluation has it{nearest(metric, names)}")


def _has(experiment: Experiment, metric: str, folder: Path | None, table: Sequence[str]) -> bool:
    """Return whether an evaluation has a metric, as its main one where no folder is named."""
    if folder is None:
        return bool(table) and table[0] == metric
    evaluation = experiment.evaluation(folder)
    return evaluation is not None and metric in evaluation["metrics"]


def _key_like(
    experiment: Experiment,
    places: Mapping[tuple[str, str | None], Key],
    last_solvers: set[str],
) -> Key:
    """Return the stage of an experiment without evaluation: that of the first similar one with one.

    Of its solver and dataset, else the last stage where its solver has a part in that, else of its
    solver alone; else a stage of its own, by the metric that selects the solver's best weights.
    """
    solver = experiment.solver
    if (solver, experiment.dataset) in places:
        return places[solver, experiment.dataset]
    if solver in last_solvers:
        return LAST
    if (solver, None) in places:
        return places[solver, None]
    return solver, SOLVERS.get(experiment.solver).main_metric[0]


def main_metrics(experiments: Sequence[Experiment], folder: Path) -> list[str]:
    """Return the metrics of a grid's table, the main one first: those of its last stage.

    Args:
        experiments: of the grid.
        folder: evaluations by signature.
    """
    return list(stages_of(experiments, folder)[0].metrics)

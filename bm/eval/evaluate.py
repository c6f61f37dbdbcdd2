"""Evaluation of finished experiments: best weights, test split, one folder per signature."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.run import Run
from ..errors import UserError
from ..solvers import build
from ..writing import replacing
from ..xp.files import DamagedFileError, read_evaluation, read_json, read_or_warn, write_json
from ..xp.guard import guard_of
from .experiments import Experiment, of_sigs
from .seal import NAME as SEAL
from .seal import seal_cell

if TYPE_CHECKING:
    import pandas as pd

    from ..engine.solver import Solver
    from ..metrics.evaluation import Evaluation
    from ..xp.main import Main

#: (function, experiments) -> (place of the experiment, outcome or error) as they come.
Spread = Callable[
    [Callable[[Experiment], "Outcome"], Sequence[Experiment]],
    Iterable[tuple[int, "Outcome | Exception"]],
]


#: State of an experiment that was finished, and whose test split is empty.
NO_TEST = "no test windows"


@dataclass(frozen=True)
class Outcome:
    """What became of one experiment: `state` is evaluated, kept (done before), or why not."""

    sig: str
    name: str
    state: str


def evaluate_one(experiment: Experiment, folder: Path, main: Main, again: bool = False) -> Outcome:
    """Evaluate an experiment on its test split and write and seal what it gives.

    An experiment that has not finished is not evaluated, and says so.

    Args:
        experiment: read from its folder.
        folder: takes a folder per signature.
        main: the decorated main of the project.
        again: compute anew with the best weights what is there.

    Raises:
        UserError: the experiment is finished, but its evaluation is gone.
    """
    if experiment.state != "done":
        return Outcome(experiment.sig, experiment.name, experiment.state)
    target = folder / experiment.sig
    # An interrupted `run_eval` goes on where it was when it is called again.
    stored = read_evaluation(target / "metrics.json")
    if stored is not None and read_or_warn(target / SEAL) is not None and not again:
        return Outcome(experiment.sig, experiment.name, "kept")
    evaluation = read_json(experiment.folder / "evaluation.json")
    items = experiment.folder / "items.parquet"
    if evaluation is None and has_no_test(experiment.folder):
        return Outcome(experiment.sig, experiment.name, NO_TEST)
    if evaluation is None:
        raise UserError(f"{experiment.folder} is finished but has no evaluation; run it again")
    target.mkdir(parents=True, exist_ok=True)
    if again:
        computed = _recompute(experiment, main)
        evaluation = computed.to_dict()
        _write_items(computed.items, target / "items.parquet")
    elif items.exists():
        _copy(items, target / "items.parquet")
    guard = guard_of(experiment.folder)
    identity = {"sig": experiment.sig, **{k: guard.get(k) for k in ("commit", "data_hash")}}
    write_json(target / "metrics.json", {**evaluation, **identity})
    # Last: an evaluation counts as there when its seal is, whatever died before.
    seal_cell(experiment.folder, target, identity)
    return Outcome(experiment.sig, experiment.name, "evaluated")


def has_no_test(folder: Path) -> bool:
    """Return whether the test split of an experiment has no window."""
    summary = read_json(folder / "splits.json")
    return summary is not None and summary["windows"].get("test") == 0


def _recompute(experiment: Experiment, main: Main) -> Evaluation:
    """Evaluate the test split anew with the best weights."""
    with main.get_xp_from_sig(experiment.sig).enter():
        return Run(build(experiment.config)).reevaluate("test")


def trained_solver(sig: str, main: Main) -> Solver:
    """Return the solver of a finished experiment with its data and best weights.

    Args:
        sig: its signature.
        main: the decorated main of the project, `bm.train.main`.

    Raises:
        UserError: no such experiment, or one that has not finished.
    """
    experiment = of_sigs([sig], main)[0]
    if experiment.state != "done":
        raise UserError(f"{sig} has not finished ({experiment.state}); run it to the end first")
    with main.get_xp_from_sig(sig).enter():
        solver: Solver = build(experiment.config)
        Run(solver).open_best()
    return solver


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as aside:
        aside.write_bytes(source.read_bytes())


def _write_items(frame: pd.DataFrame | None, target: Path) -> None:
    if frame is None:
        return
    with replacing(target) as aside:
        frame.to_parquet(aside)


def evaluate_all(
    experiments: Sequence[Experiment],
    folder: Path,
    main: Main,
    again: bool = False,
    spread: Spread | None = None,
) -> list[Outcome]:
    """Evaluate several experiments, printing each.

    Args:
        experiments: in the order of the returned outcomes.
        folder: a folder per signature is written there.
        main: the decorated main of the project.
        again: recompute what is there.
        spread: runs a function over items elsewhere, e.g. as an array of SLURM.
    """
    evaluate = functools.partial(evaluate_one, folder=folder.resolve(), main=main, again=again)
    outcomes: dict[int, Outcome] = {}
    # A job for what is there, or cannot be evaluated, would wait in the queue for nothing.
    remote = [i for i, e in enumerate(experiments) if spread and _needs(e, folder, again)]
    for index, experiment in enumerate(experiments):
        if index not in remote:
            try:
                outcomes[index] = evaluate(experiment)
            except DamagedFileError as error:
                print(f"{experiment.sig}: {error}", file=sys.stderr)
                outcomes[index] = Outcome(experiment.sig, experiment.name, "damaged")
            _report(outcomes, len(experiments), index)
    for place, result in spread(evaluate, [experiments[i] for i in remote]) if spread else ():
        index, experiment = remote[place], experiments[remote[place]]
        if isinstance(result, Exception):
            # Of a job's traceback the last line is the error; the whole of it is in its log.
            reason = str(result).strip().splitlines()[-1]
            print(f"{experiment.sig}: {reason}", file=sys.stderr)
            result = Outcome(experiment.sig, experiment.name, "failed")
        outcomes[index] = result
        _report(outcomes, len(experiments), index)
    return [outcomes[index] for index in range(len(experiments))]


def _needs(experiment: Experiment, folder: Path, again: bool) -> bool:
    """Return whether there is something to compute."""
    stored = (folder / experiment.sig / SEAL).exists()
    return experiment.state == "done" and (again or not stored)


def _report(outcomes: dict[int, Outcome], total: int, index: int) -> None:
    outcome = outcomes[index]
    print(f"{len(outcomes)}/{total}  {outcome.sig}  {outcome.state:<15}  {outcome.name}")

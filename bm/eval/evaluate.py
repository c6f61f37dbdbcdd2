"""Evaluation of finished experiments: best weights, test split, one folder per signature."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..xp.files import read_json, write_json
from .experiments import Experiment, of_sigs

#: (function, items) -> (place of the item, result or error) as they come.
Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[tuple[int, Any]]]


@dataclass(frozen=True)
class Outcome:
    """What became of one experiment: `state` is evaluated, kept (done before), or why not."""

    sig: str
    name: str
    state: str


def evaluate_one(experiment: Experiment, folder: Path, again: bool = False) -> Outcome:
    """Evaluate an experiment on its test split and write `metrics.json` and `items.parquet`.

    An experiment that has not finished is not evaluated, and says so.
    """
    if experiment.state != "done":
        return Outcome(experiment.sig, experiment.name, experiment.state)
    target = folder / experiment.sig
    if (target / "metrics.json").exists() and not again:
        return Outcome(experiment.sig, experiment.name, "kept")
    stored = read_json(experiment.folder / "evaluation.json")
    items = experiment.folder / "items.parquet"
    if stored is None:
        raise UserError(f"{experiment.folder} is finished but has no evaluation; run it again")
    target.mkdir(parents=True, exist_ok=True)
    if again:
        stored, frame = _recompute(experiment)
        _write_items(frame, target / "items.parquet")
    elif items.exists():
        _copy(items, target / "items.parquet")
    guard = read_json(experiment.folder / "guard.json") or {}
    write_json(
        target / "metrics.json",
        {
            **stored,
            "sig": experiment.sig,
            "commit": guard.get("commit"),
            "data_hash": guard.get("data_hash"),
        },
    )
    return Outcome(experiment.sig, experiment.name, "evaluated")


def _recompute(experiment: Experiment) -> tuple[dict[str, Any], Any]:
    """Run the evaluation afresh with the best weights."""
    from ..engine.run import Run
    from ..solvers import build
    from ..train import main

    with main.get_xp_from_sig(experiment.sig).enter():
        result = Run(build(experiment.config)).reevaluate("test")
    return result.to_dict(), result.items


def trained(sig: str) -> Any:
    """Solver of a finished experiment with its data and best weights, for notebooks and scripts.

    Args:
        sig: its signature.

    Raises:
        UserError: no such experiment, or one that has not finished.
    """
    from ..engine.run import Run
    from ..solvers import build
    from ..train import main

    experiment = of_sigs([sig])[0]
    if not (experiment.folder / "finished.json").exists():
        raise UserError(f"{sig} has not finished ({experiment.state}); run it to the end first")
    with main.get_xp_from_sig(sig).enter():
        solver = build(experiment.config)
        Run(solver).open_best()
    return solver


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_bytes(source.read_bytes())
    os.replace(temporary, target)


def _write_items(frame: Any, target: Path) -> None:
    if frame is None:
        return
    temporary = target.with_name(f".{target.name}.tmp")
    frame.to_parquet(temporary)
    os.replace(temporary, target)


def evaluate_all(
    experiments: Sequence[Experiment],
    folder: Path,
    again: bool = False,
    spread: Spread | None = None,
) -> list[Outcome]:
    """Evaluate several experiments, printing each.

    Args:
        experiments: in the order of the returned outcomes.
        folder: a folder per signature is written there.
        again: recompute what is there.
        spread: runs a function over items elsewhere, e.g. as an array of SLURM.
    """
    call = functools.partial(evaluate_one, folder=folder.resolve(), again=again)
    found: dict[int, Outcome] = {}
    todo = [i for i, e in enumerate(experiments) if spread and _needs(e, folder, again)]
    for index, experiment in enumerate(experiments):
        if index not in todo:
            found[index] = call(experiment)
            _say(found, len(experiments), index)
    for place, result in spread(call, [experiments[i] for i in todo]) if spread else ():
        index, experiment = todo[place], experiments[todo[place]]
        if isinstance(result, Exception):
            reason = str(result).strip().splitlines()[-1]
            print(f"{experiment.sig}: {reason}", file=sys.stderr)
            result = Outcome(experiment.sig, experiment.name, "failed")
        found[index] = result
        _say(found, len(experiments), index)
    return [found[index] for index in range(len(experiments))]


def _needs(experiment: Experiment, folder: Path, again: bool) -> bool:
    stored = (folder / experiment.sig / "metrics.json").exists()
    return experiment.state == "done" and (again or not stored)


def _say(found: dict[int, Outcome], total: int, index: int) -> None:
    outcome = found[index]
    print(f"{len(found)}/{total}  {outcome.sig}  {outcome.state:<10}  {outcome.name}")

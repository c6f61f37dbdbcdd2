"""Evaluation of finished experiments: best weights, test split, one folder per signature."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..xp.files import read_json, write_json
from .experiments import Experiment


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
    from ..solvers import build
    from ..train import main

    with main.get_xp_from_sig(experiment.sig).enter():
        solver = build(experiment.config)
        result = solver.reevaluate("test")
    return result.to_dict(), result.items


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
    experiments: Sequence[Experiment], folder: Path, again: bool = False
) -> list[Outcome]:
    """Evaluate several experiments, printing each."""
    found = []
    for number, experiment in enumerate(experiments, 1):
        outcome = evaluate_one(experiment, folder, again)
        print(f"{number}/{len(experiments)}  {outcome.sig}  {outcome.state:<10}  {outcome.name}")
        found.append(outcome)
    return found

"""A solver that is killed again and again, by a process that counts its steps from outside."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bm.engine.run import Run
from bm.solvers import build

from ..engine import toy
from ..experiments import opened
from ..processes import launch, statuses

LIMIT_S = 120.0
#: Batches until a kill. Nothing is saved within a validation: some must be more than one has.
BATCHES = (1, 2, 3, 5, 8, 13, 34)


def outcome(folder: Path, sig: str) -> dict[str, Any]:
    """Return the last checkpoint, the best weights and the history of an experiment."""
    place = folder / "xps" / sig
    history = json.loads((place / "history.json").read_text())
    for entry in history:
        entry.pop("perf", None)
    checkpoint = place / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)["state"] if checkpoint.exists() else {}
    best = {str(p.relative_to(place)): p.read_bytes() for p in place.glob("best/**/*.safetensors")}
    return {"state": state, "best": best, "history": history}


def train(folder: Path, words: Sequence[str], told: int) -> None:
    """Run an experiment to its end; a byte goes to the pipe `told` with each batch."""
    with opened(folder, *words) as xp:
        solver = build(xp.cfg)
        step = solver.step

        def counted(batch: Any, stage: str) -> Any:
            os.write(told, b".")
            return step(batch, stage)

        if solver.stepped:
            solver.step = counted  # type: ignore[method-assign]
        else:  # fitted at once, when it is first evaluated
            os.write(told, b".")
        Run(solver).train()


def attempt(folder: Path, words: Sequence[str], world: int, draw: random.Random) -> list[int]:
    """Start an experiment, kill it between two batches or within one; return the wait statuses."""
    read, told = os.pipe()
    pids = launch(world, lambda rank: train(folder, words, told if rank == 0 else os.dup(told)))
    os.close(told)
    with os.fdopen(read, "rb", buffering=0) as batches:
        seen = [time.monotonic()]
        for _ in range(world * draw.choice(BATCHES)):
            if not batches.read(1):
                break
            seen.append(time.monotonic())
        pace = (seen[-1] - seen[1]) / (len(seen) - 2) if len(seen) > 2 else 0.05
        time.sleep(draw.uniform(0, 3 * world * pace))  # saving, validation and the end too
        for pid in draw.sample(pids, len(pids)):
            os.kill(pid, signal.SIGKILL)  # nobody has waited for it: the number is still its own
        return statuses(pids, LIMIT_S)


def kills_until(
    folder: Path, words: Sequence[str], whole: dict[str, Any], sig: str, least: int, world: int = 1
) -> int:
    """Kill an experiment until it is through, anew in other folders until there are enough kills.

    Args:
        folder: an empty one; `upstream` of it, if it is there, is linked into each outputs folder.
        words: what is run; it saves after each step.
        whole: the outcome of the undisturbed run.
        sig: signature of the experiment.
        least: number of kills after the first batch of a process.
        world: number of processes of a run.

    Returns:
        The number of kills; every experiment in between has ended as `whole`.
    """
    draw, kills, rounds = random.Random(0), 0, 0
    while kills < least:
        outputs = folder / f"round{rounds}"
        rounds += 1
        (outputs / "xps").mkdir(parents=True)
        for upstream in (folder.parent / "upstream" / "xps").glob("*"):
            (outputs / "xps" / upstream.name).symlink_to(upstream)
        for _ in range(60):
            ended = attempt(outputs, words, world, draw)
            if ended == [0] * world:
                break
            assert set(ended) <= {signal.SIGKILL, 0}, ended
            kills += ended == [signal.SIGKILL] * world
        else:
            raise AssertionError(f"killed 60 times, and not through: {kills} kills counted")
        assert toy.same(whole, outcome(outputs, sig)), (outputs, kills)
    return kills

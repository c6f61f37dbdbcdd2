"""Fifty experiments on the local queue, killed at random, resumed by two terminals at once."""

from __future__ import annotations

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bm.xp import process
from bm.xp.queue import Queue

from ..experiments import run
from .demo_grid import ROOT, environment, results

pytestmark = pytest.mark.endurance
COUNT, KILLS, EPOCHS = 50, 25, 6
KINDS = ("job", "runner", "terminal", "all")
LIMIT_S = 1500.0
OPTIONS = {
    "solver": "supervised/debug", "optim.epochs": EPOCHS, "checkpoint.every_steps": 2,
    "log.figures": False,
}  # fmt: skip
GRID = f"""
from grids._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher):
    for seed in range({COUNT}):
        launcher({OPTIONS!r}, seed=seed)
"""


class Terminals:
    """Two terminals that watch one grid of a folder with grids of its own."""

    def __init__(self, folder: Path) -> None:
        self.code, self.outputs = folder / "code", folder / "outputs"
        shutil.copytree(ROOT / "grids", self.code / "grids")
        (self.code / "grids" / "demo" / "many.py").write_text(GRID)
        self.queue = Queue(self.outputs / "local")
        self.open: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        """Start `dora grid` with `-r` in the folder; its last words are kept for the message."""
        paths = os.pathsep.join([str(self.code), str(ROOT)])
        return subprocess.Popen(
            [sys.executable, "-m", "dora", "-P", "bm", "grid", "demo.many", "-i", "0.05", "-r"],
            cwd=self.code, env={**environment(self.outputs), "PYTHONPATH": paths}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def keep_two(self) -> None:
        """Start as many as are missing, in the same moment; none may have ended in an error."""
        for one in self.open:
            assert one.poll() in (None, 0, -signal.SIGKILL), one.communicate()[1]
        self.open = [one for one in self.open if one.poll() is None]
        self.open += [self.start() for _ in range(2 - len(self.open))]

    def running(self) -> list[dict[str, Any]]:
        """Return the records of jobs whose process lives; no experiment may have two."""
        records = [r for r in self.queue.records() if process.alive(r["pid"], r["started"])]
        assert len({r["sig"] for r in records}) == len(records), records
        return records

    def await_training(self, until: float) -> None:
        """Wait until a job that runs has saved: before that a kill has nothing to spoil."""
        while not any((Path(r["folder"]) / "checkpoint.pt").exists() for r in self.running()):
            assert time.monotonic() < until, self.finished()
            self.keep_two()
            time.sleep(0.1)

    def finished(self) -> int:
        return len(list(self.outputs.glob("xps/*/finished.json")))

    def kill(self, what: str) -> bool:
        """Kill a job, the runner, a terminal or everything; return whether there was one."""
        hit = False
        if what in ("runner", "all"):
            try:
                runner = json.loads((self.queue.folder / "runner.json").read_text())
            except FileNotFoundError:
                runner = {"pid": None}
            if process.alive(runner["pid"], runner.get("started")):
                os.kill(runner["pid"], signal.SIGKILL)
                hit = True
        if what in ("job", "all"):
            for record in self.running()[: 1 if what == "job" else None]:
                try:
                    os.killpg(record["pid"], signal.SIGKILL)
                    hit = True
                except ProcessLookupError:  # it has ended meanwhile
                    continue
        for terminal in self.open[: {"terminal": 1, "all": 2}.get(what, 0)]:
            hit |= terminal.poll() is None
            terminal.kill()
            terminal.wait()
        return hit


def test_fifty_experiments_are_each_completed_once(tmp_path: Path) -> None:
    two, draw = Terminals(tmp_path), random.Random(0)
    hits: collections.Counter[str] = collections.Counter()
    until = time.monotonic() + LIMIT_S
    try:
        while hits.total() < KILLS and two.finished() < COUNT - 6:
            assert time.monotonic() < until, (hits, two.finished())
            two.keep_two()
            two.await_training(until)
            time.sleep(draw.uniform(0.0, 1.0))
            what = draw.choice(("job", *KINDS))
            hits[what] += two.kill(what)
        two.kill("all")
        two.keep_two()  # both at once, on what has been left
        for terminal in two.open:
            text = terminal.communicate(timeout=max(1.0, until - time.monotonic()))[1]
            assert terminal.returncode == 0 and "Traceback" not in text, text
    finally:
        two.kill("all")
    assert hits.total() >= KILLS and all(hits[k] for k in ("job", "runner", "terminal", "all")), (
        hits
    )
    completed = collections.Counter(
        r["sig"] for r in two.queue.records() if r["state"] == "COMPLETED"
    )
    assert len(completed) == COUNT and set(completed.values()) == {1}, completed
    words = [f"{key}={str(value).lower()}" for key, value in OPTIONS.items()]
    for seed in range(COUNT):
        run(tmp_path / "calm", *words, f"seed={seed}")
    assert results(two.outputs) == results(tmp_path / "calm"), hits

"""A grid on a real SLURM: the same verbs, from a clone of the commit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bm.xp import cluster

from .test_grid import GRID, ROOT, environment, results

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not cluster.answers(), reason="no SLURM answers here"),
]


LONG = """
from grids._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher):
    launcher.slurm_(gpus=1, mem_per_gpu=2, cpus_per_gpu=1, time=30)
    with launcher.job_array():
        for seed in (0, 1):
            launcher({"solver": "supervised/debug", "optim.epochs": 60}, seed=seed)
"""


class Checkout:
    """A clean clone: a dirty checkout is refused by design, as jobs run from a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.code, self.outputs = folder / "checkout", folder / "outputs"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(self.code)], check=True)

    def write(self, name: str, text: str) -> None:
        (self.code / "grids" / "demo" / f"{name}.py").write_text(text)
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        for words in (["add", "."], ["commit", "-q", "-m", "a grid"]):
            subprocess.run(["git", *identity, *words], cwd=self.code, check=True)

    def grid(self, name: str, *flags: str) -> str:
        own = {"BM_EXECUTOR": "slurm", "PYTHONPATH": str(self.code)}
        done = subprocess.run(
            [sys.executable, "-m", "dora", "-P", "bm", "grid", name, *flags],
            cwd=self.code, env={**environment(self.outputs), **own}, capture_output=True,
            text=True, timeout=400, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def jobs(self, *fields: str) -> list[list[str]]:
        """Fields of every job of these outputs, from the accounting."""
        ids = sorted({p.name.split("_")[0] for p in (self.outputs / "by_id").iterdir()})
        words = ["sacct", "-X", "-n", "-P", "-j", ",".join(ids), "-o", ",".join(fields)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return [line.split("|") for line in done.stdout.splitlines()]

    def wait(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.jobs("JobID", "State", "ExitCode")
            time.sleep(0.5)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    if (made.outputs / "by_id").exists():
        ids = sorted({p.name.split("_")[0] for p in (made.outputs / "by_id").iterdir()})
        subprocess.run(["scancel", *ids], check=False)


def last(text: str) -> str:
    return text[text.rindex("Meta") :]


def test_grid_completes_from_a_clone_of_the_commit(checkout: Checkout) -> None:
    table = last(checkout.grid(GRID, "-i", "0.05"))
    assert table.count("COM") == 3, table
    found = results(checkout.outputs)
    assert len(found) == 3 and all(history for history, _ in found.values())
    assert len(list((checkout.outputs / "codes").iterdir())) == 1


def test_downstream_waits_for_its_upstream(checkout: Checkout) -> None:
    table = last(checkout.grid("demo.staged", "-i", "0.05"))
    assert table.count("COM") == 3, table
    up, *down = checkout.jobs("Start", "End")
    assert len(down) == 2 and all(start >= up[1] for start, _ in down)


def test_downstream_is_dropped_when_its_upstream_fails(checkout: Checkout) -> None:
    """The upstream names a solver that does not exist: it fails as soon as it starts."""
    text = (checkout.code / "grids" / "demo" / "staged.py").read_text()
    checkout.write("broken", text.replace('{"seed": 7}', '{"solver.name": "supervisd"}'))
    table = last(checkout.grid("demo.broken", "-i", "0.05"))
    assert table.count("FAI") == 1 and table.count("CAN") == 2, table


def test_array_is_preempted_goes_on_and_is_cancelled(checkout: Checkout) -> None:
    checkout.write("long", LONG)
    checkout.grid("demo.long", "--no_monitoring")
    xps = checkout.outputs / "xps"
    checkout.wait(lambda: len(list(xps.glob("*/checkpoint.previous.pt"))) >= 1)
    job = checkout.jobs("JobID")[0][0]
    array = job.split("_")[0]
    subprocess.run(["scancel", "--signal=USR2", f"{array}_0"], check=True)
    checkout.grid("demo.long", "1", "-C")
    checkout.wait(lambda: any("CANCELLED" in s for _, s in checkout.jobs("JobID", "State")))
    checkout.wait(lambda: ["COMPLETED"] in checkout.jobs("State"), 180)
    logs = "".join(p.read_text() for p in (checkout.outputs / "arrays").rglob("*_log.out"))
    assert "asked to leave: saved epoch" in logs and "continuing at epoch" in logs
    finished = [p.parent for p in xps.glob("*/finished.json")]
    assert len(finished) == 1 and len(json.loads((finished[0] / "history.json").read_text())) == 60

"""A grid on a bad day: killed at random until it is through, it leaves the same bits."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bm.xp import process
from bm.xp.queue import Queue

from .demo_grid import GRID, ROOT, call, environment, grid, results

pytestmark = pytest.mark.endurance


def start(outputs: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dora", "-P", "bm", "grid", GRID, "-i", "0.02", "-r"],
        cwd=ROOT, env=environment(outputs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill_something(queue: Queue, terminal: subprocess.Popen, draw: random.Random) -> str:
    """Kill a running job, the runner, or the terminal; says what it was."""
    running = [r for r in queue.records() if process.alive(r["pid"], r["started"])]
    what = draw.choice(["job", "job", "runner", "terminal", "all"])
    if what in ("job", "all"):
        for record in running[: 1 if what == "job" else None]:
            os.killpg(record["pid"], signal.SIGKILL)
    if what in ("runner", "all") and (queue.folder / "runner.json").exists():
        runner = json.loads((queue.folder / "runner.json").read_text())
        if process.alive(runner["pid"], runner.get("started")):
            os.kill(runner["pid"], signal.SIGKILL)
    if what in ("terminal", "all"):
        terminal.kill()
    return f"{what} {len(running)}"


@pytest.mark.parametrize("seed", [0, 1])
def test_chaos_leaves_no_trace(tmp_path: Path, seed: int) -> None:
    calm, chaos = tmp_path / "calm", tmp_path / "chaos"
    grid(calm, "-i", "0.02")
    draw, queue = random.Random(seed), Queue(chaos / "local")
    terminal, kills = start(chaos), []
    try:
        for _ in range(12):
            time.sleep(draw.uniform(1.0, 6.0))
            kills.append(kill_something(queue, terminal, draw))
            if terminal.poll() is not None:
                terminal = start(chaos)
    finally:
        terminal.kill()
        terminal.wait()
    for _ in range(3):
        grid(chaos, "-i", "0.02", "-r")
    assert call(chaos, "scripts.grid_state", GRID).count("COMPLETED") == 3, kills
    assert any(not text.endswith(" 0") for text in kills), kills  # something was running when hit
    assert results(chaos) == results(calm), kills

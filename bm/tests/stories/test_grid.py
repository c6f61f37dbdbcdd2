"""The story of a grid: run, kill everything, finish, evaluate; equal to the undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from bm.xp import process
from bm.xp.queue import Queue

from .demo_grid import GRID, ROOT, call, environment, grid, results, script

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("undisturbed")
    table = grid(outputs, "-i", "0.02")
    assert table.count("COM") >= 3
    return outputs


def test_state_of_a_finished_grid(undisturbed: Path) -> None:
    text = call(undisturbed, "scripts.grid_state", GRID)
    assert text.count("COMPLETED") == 3
    script(undisturbed, "grid_state", "grid=demo.staged", code=3)  # nothing of it has run
    assert "unknown grid" in script(undisturbed, "grid_state", "grid=demo.tinny", code=2)


def test_killed_grid_is_finished_by_running_it_again(undisturbed: Path, tmp_path: Path) -> None:
    terminal = subprocess.Popen(
        [sys.executable, "-m", "dora", "-P", "bm", "grid", GRID, "-i", "0.02"],
        cwd=ROOT, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    queue = Queue(tmp_path / "local")
    until = time.monotonic() + 60
    while time.monotonic() < until and not list((tmp_path / "xps").glob("*/checkpoint.pt")):
        time.sleep(0.02)
    terminal.kill()
    terminal.wait()
    runner = json.loads((queue.folder / "runner.json").read_text())
    os.kill(runner["pid"], signal.SIGKILL)
    for record in queue.records():
        if process.alive(record["pid"], record["started"]):
            os.killpg(record["pid"], signal.SIGKILL)
    script(tmp_path, "grid_state", f"grid={GRID}", code=1)
    grid(tmp_path, "-i", "0.02", "-r")
    assert script(tmp_path, "grid_state", f"grid={GRID}").count("COMPLETED") == 3
    assert results(tmp_path) == results(undisturbed)


def test_cancel_clear_and_log(tmp_path: Path) -> None:
    grid(tmp_path, "--no_monitoring")
    assert "Canceling" in grid(tmp_path, "-C")
    states = [record["state"] for record in Queue(tmp_path / "local").records()]
    assert "CANCELLED" in states and set(states) <= {"CANCELLED", "COMPLETED", "FAILED"}
    script(tmp_path, "grid_state", f"grid={GRID}", code=1)


def test_evaluate_tables_report_and_hiplot(undisturbed: Path) -> None:
    assert script(undisturbed, "run_eval", f"grid={GRID}").count("evaluated") == 3
    text = script(undisturbed, "make_tables", f"grid={GRID}")
    assert "simulated data" in text and "chance" in text and "ideal observer" in text
    script(undisturbed, "make_report", f"grid={GRID}")
    page = (undisturbed / "report" / GRID / "index.html").read_text()
    assert "All data on this page are simulated" in page and "<svg" in page
    sig = next(name for name, (_, weights) in results(undisturbed).items() if weights)
    stored = json.loads((undisturbed / "eval" / sig / "metrics.json").read_text())
    script(undisturbed, "run_eval", f"sigs=[{sig}]", "again=true")
    again = json.loads((undisturbed / "eval" / sig / "metrics.json").read_text())
    assert again["metrics"] == stored["metrics"] and stored["data_hash"]
    points = hiplot_points(undisturbed, f"explorer=MainHP {GRID}")
    assert len({point["values"]["sig"] for point in points}) == 3


def hiplot_points(outputs: Path, uri: str) -> list[dict]:
    """Points that the HiPlot server of Dora gives over HTTP."""
    port = 20000 + os.getpid() % 20000
    server = subprocess.Popen(
        [sys.executable, "-m", "hiplot", "dora.hiplot.load", f"--port={port}"],
        cwd=ROOT, env={**environment(outputs), "DORA_PACKAGE": "bm"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        query = urllib.parse.urlencode({"uri": uri})
        for _ in range(150):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/data?{query}") as answer:
                    return json.load(answer)["experiment"]["datapoints"]
            except urllib.error.URLError:
                time.sleep(0.2)
        raise AssertionError("the HiPlot server did not answer")
    finally:
        server.kill()
        server.wait()

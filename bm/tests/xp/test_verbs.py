"""Dora's verbs on the local queue, each as a user types it, in the toy project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bm.tests.xp.forked import Command
from bm.tests.xp.project import ROOT, environment
from bm.train import main
from bm.xp import process
from bm.xp.queue import Queue

pytestmark = pytest.mark.story
HEAD = "from grids._explorers import BaseExplorer\n\n\n@BaseExplorer\ndef explorer(launcher):\n"
TRAIN = """
from bm.xp import executor
from bm.xp.main import bm_main

executor.install()


@bm_main(config_name="config", config_path="../conf")
def main(cfg):
    import time
    from dora import get_xp

    if cfg.dummy == "bug" and not get_xp().folder.joinpath("mended").exists():
        raise ZeroDivisionError("a bug")
    xp = get_xp()
    xp.link.load()
    for epoch in range(len(xp.link.history), cfg.optim.epochs):
        xp.link.push_metrics({"train": {"loss": 1.0 / (epoch + 1)}})
    print("seed", cfg.seed, "is through", flush=True)
    if cfg.dummy == "slow":
        time.sleep(600)


main.dora.grid_package = "toygrids"
"""
#: Three experiments of 1, 2 and 3 epochs.
THREE = '    for n in range(3):\n        launcher({"seed": n, "optim.epochs": n + 1})\n'
#: An array of two short ones.
ARRAY = """
    with launcher.job_array():
        launcher({"seed": 10, "optim.epochs": 1})
        launcher({"seed": 11, "optim.epochs": 1})
"""
WATCH = ("-i", "0.02")  # minutes between looks, until all have ended


class Project:
    """A folder with a package, grids written by the tests, and its queue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "conf", folder / "conf")
        for name in ("toy", "toygrids"):
            (folder / name).mkdir()
            (folder / name / "__init__.py").touch()
        (folder / "toy" / "train.py").write_text(TRAIN)
        self.queue = Queue(folder / "outputs" / "local")

    def write(self, name: str, body: str) -> None:
        (self.folder / "toygrids" / f"{name}.py").write_text(HEAD + body)

    def start(self, *words: str, answer: str = "") -> Command:
        """Start `dora grid WORDS`, without waiting for it."""
        variables = environment() | {"BM_EXECUTOR": "local", "BM_SLOTS": "2"}
        return Command(self.folder, "grid", *words, environment=variables, answer=answer)

    def grid(self, *words: str, answer: str = "") -> str:
        """Return what `dora grid WORDS` prints; it must end well."""
        return succeeded(self.start(*words, answer=answer).wait())

    def xp(self, *argv: str) -> Path:
        return self.folder / "outputs" / "xps" / main.resolve(list(argv)).sig

    def states(self) -> list[str]:
        return [record["state"] for record in self.queue.records()]

    def wait(self, condition: Callable[[], Any], seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.states()
            time.sleep(0.1)


def succeeded(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str, str, list[dict]]:
    """A project, the last words of two grids that ran in it at once, and the jobs of both."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.write("three", THREE)
    project.write("array", ARRAY)
    started = [project.start(name, *WATCH) for name in ("three", "array")]
    try:
        three, array = (succeeded(grid.wait()) for grid in started)
    finally:
        for grid in started:
            grid.end()
    return project, three, array, project.queue.records()


@pytest.fixture(scope="module")
def finished(both: tuple[Project, str, str, list[dict]]) -> Project:
    assert len(last_table(both[1])) == 3
    return both[0]


def last_table(text: str) -> list[str]:
    return [line for line in text[text.rindex("Meta") :].splitlines() if "COM" in line]


def test_a_grid_goes_on_where_its_project_was_moved_to(tmp_path: Path) -> None:
    before = Project(tmp_path / "before")
    before.write("three", THREE)
    assert len(last_table(before.grid("three", *WATCH))) == 3
    (tmp_path / "before").rename(tmp_path / "after")
    before.folder = tmp_path / "after"
    assert len(last_table(before.grid("three", *WATCH))) == 3
    links = list((before.folder / "outputs" / "grids" / "three").iterdir())
    xps = before.folder / "outputs" / "xps"
    assert len(links) == 3 and all(link.resolve() == xps / link.name for link in links)
    assert len(Queue(before.folder / "outputs" / "local").records()) == 3  # none was queued again
    assert not (tmp_path / "before").exists()


def test_arrays_and_two_grids_share_the_queue(
    both: tuple[Project, str, str, list[dict]],
) -> None:
    project, three, array, records = both
    assert len(last_table(three)) == 3 and len(last_table(array)) == 2
    assert [r["state"] for r in records] == ["COMPLETED"] * 5
    assert len({r["job_id"] for r in records}) == 5
    elements = {project.xp(f"seed={seed}", "optim.epochs=1").name for seed in (10, 11)}
    assert elements < {r["sig"] for r in records}
    for slot in (0, 1):  # one job after the other in each, whichever grid asked for it
        times = sorted((r["began"], r["ended"]) for r in records if r["slots"] == [slot])
        assert times and all(after >= before for (_, before), (after, _) in pairwise(times))


def test_folder_log_and_tail_of_a_row(finished: Project) -> None:
    assert str(finished.xp("seed=1", "optim.epochs=2")) in finished.grid("three", "-f", "1")
    assert "seed 2 is through" in finished.grid("three", "-l", "2")
    tail = finished.start("three", "-t", "0").wait()
    # outside a terminal it says how the log is followed, and ends
    assert "seed 0 is through" in tail.stdout and "tail -f" in tail.stderr


def test_histories_are_cut_to_a_row_or_to_the_shortest(finished: Project) -> None:
    def epochs(*flags: str) -> list[str]:
        rows = last_table(finished.grid("three", "--no_monitoring", *flags))
        return [row.split("|")[1].split()[0] for row in rows]

    assert epochs() == ["1", "2", "3"]
    assert epochs("-T", "1") == ["1", "2", "2"]
    assert epochs("-L") == ["1", "1", "1"]


def test_done_is_left_alone_redone_and_cleared(finished: Project) -> None:
    assert "Queued" not in finished.grid("three", "--no_monitoring", "-r")
    assert finished.grid("three", "1", "--no_monitoring", "-D").count("Queued") == 1
    mark = finished.xp("seed=0", "optim.epochs=1") / "mark"
    mark.touch()
    refused = finished.start("three", "0", "--clear", answer="n\n").wait()
    assert refused.returncode != 0 and mark.exists()
    text = finished.grid("three", "0", *WATCH, "--clear", answer="y\n")
    assert "Deleting XP folders" in text and not mark.exists()
    assert len(last_table(text)) == 1
    redone, cleared = (finished.xp(f"seed={n}", f"optim.epochs={n + 1}").name for n in (1, 0))
    for sig in (redone, cleared):
        jobs = [r["job_id"] for r in finished.queue.records() if r["sig"] == sig]
        finished.wait(lambda job=jobs[-1]: finished.queue.state(job) == "COMPLETED")
        assert len(jobs) == 2


def test_retry_takes_what_failed_only(finished: Project) -> None:
    body = '    launcher({"seed": 2, "optim.epochs": 3})\n    launcher({"dummy": "bug"})\n'
    finished.write("half", body)
    text = finished.grid("half", *WATCH)
    assert text.count("Queued") == 1 and len(last_table(text)) == 1 and "FAI" in text
    assert finished.grid("half", *WATCH).count("Queued") == 0
    (finished.xp("dummy=bug") / "mended").touch()
    text = finished.grid("half", *WATCH, "-r")
    assert text.count("Queued") == 1 and len(last_table(text)) == 2


def test_replace_cancel_and_removal_from_the_file(project: Project) -> None:
    body = '    for seed in {}:\n        launcher({{"seed": seed, "dummy": "slow"}})\n'
    project.write("running", body.format("(1, 2)"))
    project.grid("running", "--no_monitoring")
    project.wait(lambda: project.states() == ["RUNNING", "RUNNING"])
    watching = project.start("running", "-i", "1")
    project.wait(lambda: "Meta" in watching.printed())
    watching.interrupt()
    left = watching.wait()
    assert left.returncode == 130 and "Traceback" not in left.stderr
    assert "left; what was submitted goes on: `dora grid running` shows it" in left.stderr
    assert project.states() == ["RUNNING", "RUNNING"]
    text = project.grid("running", "0", "--no_monitoring", "-R")
    assert text.count("Queued") == 1
    project.wait(lambda: project.states() == ["CANCELLED", "RUNNING", "RUNNING"])
    project.write("running", body.format("(1,)"))
    text = project.grid("running", "--no_monitoring")
    assert "no longer required" in text
    project.wait(lambda: project.states() == ["CANCELLED", "CANCELLED", "RUNNING"])
    assert project.xp("seed=2", "dummy=slow").exists()
    links = {link.name for link in (project.folder / "outputs/grids/running").iterdir()}
    assert links == {project.xp("seed=1", "dummy=slow").name}
    assert "Canceling" in project.grid("running", "-C")
    project.wait(lambda: project.states() == ["CANCELLED"] * 3)
    for record in project.queue.records():
        assert not process.alive(record["pid"], record["started"])


def test_grid_from_another_folder(tmp_path: Path) -> None:
    words = ("-P", "bm", "grid", "demo.tiny", "--dry_run")
    result = Command(tmp_path, *words, environment=environment()).wait()
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("N/A") == 3


def test_plain_install_ships_conf_and_grids(tmp_path: Path) -> None:
    """Without `conf` the command fails: the check sees what is shipped, not the checkout."""
    source, whole, partial, elsewhere = (tmp_path / n for n in ("source", "w", "p", "elsewhere"))
    elsewhere.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    for name in ("conf", "setup.py"):  # as it is now, committed or not
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name, **({"dirs_exist_ok": True} if path.is_dir() else {}))
    build = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "b"),
             "--build-lib", str(whole)]  # fmt: skip
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    shutil.copytree(whole, partial)
    shutil.rmtree(partial / "conf")
    code = "import bm, sys; sys.exit(0 if bm.__file__.startswith(sys.argv[1]) else 3)"
    started = []
    for target in (whole, partial):
        variables = environment() | {"PYTHONPATH": str(target)}
        subprocess.run(
            [sys.executable, "-c", code, str(target)], cwd=elsewhere, env=variables, check=True
        )
        words = [sys.executable, "-m", "dora", "-P", "bm", "grid", "demo.tiny", "--dry_run"]
        started.append(
            subprocess.Popen(words, cwd=elsewhere, env=variables, text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        )  # fmt: skip
    printed = [process.communicate(timeout=240)[0] for process in started]
    assert [p.returncode == 0 and text.count("N/A") == 3
            for p, text in zip(started, printed, strict=True)] == [True, False]  # fmt: skip


def test_records_are_plain_text(finished: Project) -> None:
    for record in finished.queue.records():
        assert json.loads(json.dumps(record)) == record

"""Dora's verbs on the local queue, each as a user types it, in the toy project."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bm.tests.xp.conftest import ROOT, command, environment
from bm.train import main
from bm.xp import process
from bm.xp.queue import Queue

pytestmark = pytest.mark.story
HEAD = "from grids._explorers import BaseExplorer\n\n\n@BaseExplorer\ndef explorer(launcher):\n"
SLOW = "slow"
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
Grid = Callable[..., "subprocess.CompletedProcess[str]"]


class Project:
    """A folder with a package, grids written by the tests, and its queue."""

    def __init__(self, folder: Path) -> None:
        import shutil

        self.folder = folder
        shutil.copytree(ROOT / "conf", folder / "conf")
        for name in ("toy", "toygrids"):
            (folder / name).mkdir()
            (folder / name / "__init__.py").touch()
        (folder / "toy" / "train.py").write_text(TRAIN)
        self.queue = Queue(folder / "outputs" / "local")

    def write(self, name: str, body: str) -> None:
        (self.folder / "toygrids" / f"{name}.py").write_text(HEAD + body)

    def grid(self, *words: str, answer: str = "", slots: int = 2) -> str:
        own = {"BM_EXECUTOR": "local", "BM_SLOTS": str(slots)}
        done = subprocess.run(
            [sys.executable, "-m", "dora", "grid", *words], cwd=self.folder,
            env=environment() | own, capture_output=True, text=True, timeout=240, input=answer,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)

    def xp(self, *argv: str) -> Path:
        return self.folder / "outputs" / "xps" / main.resolve(list(argv)).sig

    def states(self) -> list[str]:
        return [record["state"] for record in self.queue.records()]

    def wait(self, condition: Callable[[], Any], seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.states()
            time.sleep(0.1)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("finished"))
    project.write("three", THREE)
    table = project.grid("three", "-i", "0.02")
    assert table[table.rindex("Meta") :].count("COM") == 3
    return project


def last_table(text: str) -> list[str]:
    return [line for line in text[text.rindex("Meta") :].splitlines() if "COM" in line]


def test_folder_log_and_tail_of_a_row(finished: Project) -> None:
    assert str(finished.xp("seed=1", "optim.epochs=2")) in finished.grid("three", "-f", "1")
    assert "seed 2 is through" in finished.grid("three", "-l", "2")
    own = environment() | {"BM_EXECUTOR": "local"}
    tail = subprocess.Popen(
        [sys.executable, "-m", "dora", "grid", "three", "-t", "0"],
        cwd=finished.folder, env=own, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert tail.stdout is not None
        assert any("seed 0 is through" in line for line in tail.stdout)
    finally:
        tail.kill()
        tail.wait()


def test_histories_are_cut_to_a_row_or_to_the_shortest(finished: Project) -> None:
    def epochs(*flags: str) -> list[str]:
        rows = last_table(finished.grid("three", "--no_monitoring", *flags))
        return [row.split("|")[1].split()[0] for row in rows]

    assert epochs() == ["1", "2", "3"]
    assert epochs("-T", "1") == ["1", "2", "2"]
    assert epochs("-L") == ["1", "1", "1"]


def test_done_is_left_alone_redone_and_cleared(finished: Project) -> None:
    assert "Queued" not in finished.grid("three", "--no_monitoring", "-r")
    assert finished.grid("three", "0", "-i", "0.02", "-D").count("Queued") == 1
    mark = finished.xp("seed=0", "optim.epochs=1") / "mark"
    mark.touch()
    refused = subprocess.run(
        [sys.executable, "-m", "dora", "grid", "three", "0", "--clear"], cwd=finished.folder,
        env=environment() | {"BM_EXECUTOR": "local"}, input="n\n", text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    assert refused.returncode != 0 and mark.exists()
    text = finished.grid("three", "0", "-i", "0.02", "--clear", answer="y\n")
    assert "Deleting XP folders" in text and not mark.exists()
    assert len(last_table(text)) == 1


def test_retry_takes_what_failed_only(project: Project) -> None:
    project.write("half", '    launcher(seed=1)\n    launcher({"dummy": "bug"})\n')
    text = project.grid("half", "-i", "0.02")
    assert len(last_table(text)) == 1 and "FAI" in text
    assert project.grid("half", "-i", "0.02").count("Queued") == 0
    (project.xp("dummy=bug") / "mended").touch()
    text = project.grid("half", "-i", "0.02", "-r")
    assert text.count("Queued") == 1 and len(last_table(text)) == 2


def test_replace_cancel_and_removal_from_the_file(project: Project) -> None:
    body = '    for seed in {}:\n        launcher({{"seed": seed, "dummy": "slow"}})\n'
    project.write("running", body.format("(1, 2)"))
    project.grid("running", "--no_monitoring")
    project.wait(lambda: project.states() == ["RUNNING", "RUNNING"])
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


def test_arrays_and_two_grids_share_the_queue(project: Project) -> None:
    inside = THREE.replace("    ", "        ", 1).replace("\n        ", "\n            ", 1)
    project.write("left", f"    with launcher.job_array():\n{inside}")
    project.write("right", THREE.replace('"seed": n', '"seed": n + 10'))
    own = environment() | {"BM_EXECUTOR": "local", "BM_SLOTS": "1"}
    grids = [
        subprocess.Popen(
            [sys.executable, "-m", "dora", "grid", name, "-i", "0.02"], cwd=project.folder,
            env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for name in ("left", "right")
    ]  # fmt: skip
    for grid in grids:
        text, _ = grid.communicate(timeout=200)
        assert grid.returncode == 0 and len(last_table(re.sub(r"\x1b\[[0-9;]*m", "", text))) == 3
    records = project.queue.records()
    assert [r["state"] for r in records] == ["COMPLETED"] * 6
    assert len({r["job_id"] for r in records}) == 6


def test_grid_from_another_folder(tmp_path: Path) -> None:
    done = command(tmp_path, "-m", "dora", "-P", "bm", "grid", "demo.tiny", "--dry_run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("N/A") == 3


@pytest.mark.parametrize("missing", [(), ("conf",)])
def test_plain_install_ships_conf_and_grids(tmp_path: Path, missing: tuple[str, ...]) -> None:
    """Without `conf` the command fails: the check sees what is shipped, not the checkout."""
    import shutil

    source, target, elsewhere = (tmp_path / n for n in ("source", "target", "elsewhere"))
    elsewhere.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    for name in ("conf", "setup.py"):  # as it is now, committed or not
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name, **({"dirs_exist_ok": True} if path.is_dir() else {}))
    build = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "b"),
             "--build-lib", str(target)]  # fmt: skip
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    for name in missing:
        shutil.rmtree(target / name)
    own = environment() | {"PYTHONPATH": str(target)}
    code = "import bm, sys; sys.exit(0 if bm.__file__.startswith(sys.argv[1]) else 3)"
    subprocess.run([sys.executable, "-c", code, str(target)], cwd=elsewhere, env=own, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "dora", "-P", "bm", "grid", "demo.tiny", "--dry_run"],
        cwd=elsewhere, env=own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0 and done.stdout.count("N/A") == 3) is (not missing)


def test_records_are_plain_text(finished: Project) -> None:
    for record in finished.queue.records():
        assert json.loads(json.dumps(record)) == record

"""Dora's verbs as a user types them, on a machine without GPU and scheduler."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bm.errors import UserError
from bm.tests.xp.forked import Command
from bm.tests.xp.project import ROOT, Dora, command, environment
from bm.train import main
from bm.xp.main import _mend_login


def history(toy: Path, sig: str) -> list[Any]:
    return json.loads((toy / "outputs" / "xps" / sig / "history.json").read_text())


def one_line(process: subprocess.CompletedProcess[str]) -> str:
    """The message of a mistake: exit code 2 and nothing but one line about it."""
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr + process.stdout
    lines = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, process.stderr
    assert process.stderr.rstrip().endswith(lines[0])
    return lines[0]


def test_run_then_info_then_run_from_signature(toy: Path, dora: Dora) -> None:
    sig = main.resolve(["seed=11", "optim.epochs=2"]).sig
    process = dora("run", "seed=11", "optim.epochs=2")
    assert process.returncode == 0, process.stderr
    assert len(history(toy, sig)) == 2
    info = dora("info", "-f", sig, "-m")
    assert info.returncode == 0, info.stderr
    assert "Metrics[2]" in info.stderr
    assert str(toy / "outputs" / "xps" / sig) in info.stderr
    again = dora("run", "-f", sig)
    assert again.returncode == 0, again.stderr
    assert len(history(toy, sig)) == 2
    cleared = dora("run", "--clear", "-f", sig)
    assert cleared.returncode == 0, cleared.stderr
    assert "Removing existing XP folder" in cleared.stderr


@pytest.mark.parametrize(
    "words", [("run", "seed=1"), ("run", "-d", "seed=1"), ("grid", "main", "--no_monitoring")]
)
def test_an_output_folder_that_cannot_be_written_is_one_line(
    toy: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    process = Command(
        toy, *words, environment={**environment(), "BM_OUTPUTS": str(tmp_path / "file")}
    ).wait()
    assert "cannot be written: a part of the path is a file" in one_line(process)


def test_arguments_that_another_user_stored_are_left_as_they_are(
    toy: Path, dora: Dora, monkeypatch: pytest.MonkeyPatch
) -> None:
    xp = main.resolve(["seed=0", "optim.epochs=1"])
    monkeypatch.setattr(main.dora, "dir", toy / "outputs")
    path = toy / "outputs" / "xps" / xp.sig / ".argv.json"
    path.parent.mkdir(parents=True)
    path.write_text('["optim.epochs=1"]')

    def refuse(*args: object) -> None:
        raise UserError("no permission")

    monkeypatch.setattr("bm.xp.main.write_text", refuse)
    main.init_xp(xp)
    assert path.read_text() == '["optim.epochs=1"]'


def test_distributed_without_gpu_is_one_worker_and_says_so(dora: Dora) -> None:
    process = dora("run", "-d", "seed=12", "optim.epochs=1")
    assert process.returncode == 0, process.stderr
    assert "one worker" in process.stderr
    assert "workers 1 " in process.stdout


def test_dry_run_of_a_grid(toy: Path, dora: Dora) -> None:
    process = dora("grid", "main", "--dry_run", "--init", "--no_monitoring")
    assert process.returncode == 0, process.stderr
    for seed in range(3):
        sig = main.resolve([f"seed={seed}", "optim.epochs=2"]).sig
        assert sig in process.stdout
        assert (toy / "outputs" / "xps" / sig / ".argv.json").exists()


def test_grid_with_stages(dora: Dora) -> None:
    process = dora("grid", "staged", "--dry_run", "--no_monitoring")
    assert process.returncode == 0, process.stderr
    up = main.resolve(["seed=7"]).sig
    down = main.resolve([f'init_from="//sig/{up}"']).sig
    assert up in process.stdout
    assert down in process.stdout


def test_grids_are_listed_without_a_name(dora: Dora) -> None:
    process = dora("grid")
    assert process.returncode == 0
    assert "main, number, queue, staged, typo" in process.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "optim.lrr=1"], "unknown key 'optim.lrr'; did you mean 'optim.lr'?"),
        (["run", "optim.epochs=1.5"], "a whole number is expected"),
        (["run", "slurm.gpus=2"], "launcher.slurm_("),
        (["run", "solver=supervised/motr"], "did you mean 'supervised/motor'?"),
        (["run", "-f", "00000000"], "no experiment '00000000'"),
        (["run", "dummy=mistake"], "this cannot be done"),
        (["info", "-f", "00000000"], "no experiment '00000000'"),
        (["grid", "mainn", "--dry_run"], "unknown grid 'mainn'; did you mean 'main'?"),
        (["grid", "typo", "--dry_run"], "unknown key 'optim.lrr'; did you mean 'optim.lr'?"),
        (["grid", "number", "--dry_run"], "plain numbers"),
        (["grid", "queue", "--dry_run"], "'gpuss'; did you mean 'gpus'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistake_is_one_line_and_exit_2(dora: Dora, words: list[str], message: str) -> None:
    assert message in one_line(dora(*words))


def test_bug_keeps_its_traceback(dora: Dora) -> None:
    process = dora("run", "dummy=bug")
    assert process.returncode == 1
    assert "ZeroDivisionError: a bug" in process.stderr
    assert "toy/train.py" in process.stderr


def test_git_save_of_an_experiment_that_never_ran(toy: Path, dora: Dora) -> None:
    (toy / ".gitignore").write_text("outputs\n__pycache__\n")
    for words in (["init"], ["add", "."], ["commit", "-m", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *words], cwd=toy, check=True, capture_output=True)
    process = dora("run", "--git_save", "seed=13", "optim.epochs=1")
    assert process.returncode == 0, process.stderr
    sig = main.resolve(["seed=13", "optim.epochs=1"]).sig
    assert len(history(toy, sig)) == 1
    assert (toy / "outputs" / "xps" / sig / "code" / "toy" / "train.py").exists()
    assert "outputs/codes" in process.stdout  # the code of the clone ran


@pytest.mark.parametrize("way", ["module", "elsewhere"])
def test_train_is_found_from_root_and_from_elsewhere(tmp_path: Path, way: str) -> None:
    """Reaches `bm.solvers.build` under Hydra; an unknown solver ends there, with one line."""
    outputs = f"paths.cache={tmp_path}"
    if way == "module":
        process = command(ROOT, "-m", "bm.train", "solver.name=supervisd", outputs)
    else:
        words = ("-P", "bm", "run", "solver.name=supervisd", outputs)
        process = Command(tmp_path, *words, environment=environment()).wait()
    assert "unknown solver 'supervisd'; did you mean 'supervised'?" in one_line(process)


def test_login_without_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_terminal() -> str:
        raise OSError("Inappropriate ioctl for device")

    monkeypatch.setattr(os, "getlogin", no_terminal)
    monkeypatch.setenv("LOGNAME", "somebody")
    _mend_login()
    assert os.getlogin() == "somebody"


def test_login_with_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getlogin", lambda: "me")
    _mend_login()
    assert os.getlogin() == "me"


def test_in_python_a_mistake_is_an_exception() -> None:
    with pytest.raises(UserError, match="unknown key"):
        main.get_xp(["sed=1"])
    with pytest.raises(RuntimeError, match="no experiment"):
        main.get_argv_from_sig("00000000")

"""Jobs of a terminal that died before it wrote their numbers down, and those of one that lives."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from dora.shep import Shepherd

from bm.errors import UserError
from bm.train import main
from bm.writing import locked
from bm.xp import executor


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output folder with the tag of one submission, and a scheduler that has its job."""
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    monkeypatch.setattr(executor, "choose", lambda: "slurm")
    clients = tmp_path / "clients"
    clients.mkdir()
    client(clients, "squeue", "echo 56")
    client(clients, "scancel", f'echo "$@" >> {tmp_path}/cancelled')
    monkeypatch.setenv("PATH", f"{clients}:/bin:/usr/bin")
    (tmp_path / "orphans").mkdir()
    (tmp_path / "orphans" / "bm_f34065c1").touch()
    return tmp_path


def client(folder: Path, name: str, line: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{line}\n")
    (folder / name).chmod(0o755)


def test_the_jobs_of_a_dead_terminal_are_cancelled(outputs: Path) -> None:
    Shepherd(main)
    assert (outputs / "cancelled").read_text() == "56\n"
    assert not list((outputs / "orphans").iterdir())


def test_the_jobs_of_a_terminal_that_submits_now_are_left_alone(outputs: Path) -> None:
    with locked(outputs / executor.SUBMIT_LOCK):
        other = threading.Thread(target=Shepherd, args=(main,))
        other.start()
        other.join(0.3)
        assert other.is_alive()  # it waits until the number is written down
        (outputs / "orphans" / "bm_f34065c1").unlink()
    other.join(10)
    assert not other.is_alive() and not (outputs / "cancelled").exists()


def test_a_scheduler_that_does_not_answer_is_told_in_one_line(outputs: Path) -> None:
    client(outputs / "clients", "squeue", "echo 'slurm_load_jobs error: no contact' >&2; exit 1")
    with pytest.raises(UserError, match=r"squeue: slurm_load_jobs error: no contact.*ping"):
        Shepherd(main)
    assert list((outputs / "orphans").iterdir())  # the next command tries again


def test_a_job_that_cannot_be_cancelled_is_told_in_one_line(outputs: Path) -> None:
    (outputs / "orphans" / "bm_f34065c1").unlink()
    client(outputs / "clients", "scancel", "exit 3")
    with pytest.raises(UserError, match="scancel: exit status 3"):
        Shepherd(main)._cancel([])

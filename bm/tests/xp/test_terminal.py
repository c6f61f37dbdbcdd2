"""What `dora grid` and `dora info` print where nobody watches."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dora import log as dora_log
from dora.shep import Sheep

from bm.xp import terminal


def test_a_file_gets_no_colours_countdowns_or_equal_tables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say = terminal.Plain()
    table = "\x1b[1mname\x1b[0m state\nab12cd34 RUN"
    for _ in range(3):
        say("Next update in 5 seconds", end="\r")
        say()
        say(table)
    for _ in range(3):
        say("Base name: ", "x")
    say(table.replace("RUN", "RUN 0.25 7e-05 12%"))  # a table of another epoch
    say(table.replace("RUN", "COM"))
    out = capsys.readouterr().out
    assert out == "name state\nab12cd34 RUN\nBase name:  x\nname state\nab12cd34 COM\n"


def test_the_end_of_a_log_is_printed_and_the_command_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Symptom: `dora info -f SIG -t` followed the log for ever."""
    path = tmp_path / "log"
    path.write_text("".join(f"line {k}\n" for k in range(500)))
    terminal.EndOfLog().execvp("tail", ["tail", "-n", "200", "-f", path])
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "line 300" and out.splitlines()[-1] == "line 499"
    assert f"tail -f {path}" in err


def test_the_log_is_the_newer_one_of_a_job_and_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: `dora info -f SIG -t` ended in a traceback after `dora run`."""
    terminal.install()
    monkeypatch.setattr(Sheep, "_log", lambda sheep, job: tmp_path / f"{job}_log.out")
    sheep: Any = object.__new__(Sheep)
    sheep.xp, sheep.job, sheep._dependent_jobs = SimpleNamespace(folder=tmp_path), None, []
    assert sheep.log == tmp_path / "main.log"  # it never ran
    for age, name in ((300, "main.log"), (200, "L1_log.out"), (100, "train.log")):
        if name.startswith("L1"):
            sheep.job = SimpleNamespace(job_id="L1")
        path = tmp_path / name
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
        assert sheep.log == path


def test_messages_of_dora_have_no_weight_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Symptom: `\\x1b[1mGrid:\\x1b[0m Queued job` in the log of a demo."""
    terminal.install()
    dora_log.simple_log("Grid:", "Queued job L000001")
    assert capsys.readouterr().err == "Grid: Queued job L000001\n"


@pytest.mark.parametrize(
    ("words", "minutes"),
    [(["grid", "demo.tiny"], terminal.INTERVAL), (["grid", "x", "-i", "5"], None),
     (["grid", "x", "-i5"], None), (["grid", "x", "--interval=1"], None)],
)  # fmt: skip
def test_what_is_typed_wins(words: list[str], minutes: float | None) -> None:
    assert terminal.interval_of(words) == minutes

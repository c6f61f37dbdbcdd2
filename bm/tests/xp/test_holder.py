"""One process at a time trains an experiment: who holds it, what is stale, what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.tests.engine import toy
from bm.xp import holder, process

HOLD = """
import sys, time
from pathlib import Path
from bm.xp import holder
with holder.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def leave(folder: Path, **changes: object) -> None:
    """Write what a process that was killed has left."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / holder.NAME).write_text(json.dumps({**holder.entry(), "pid": 1, **changes}))


def test_a_second_process_is_refused_and_what_a_killed_one_left_is_taken_over(tmp_path) -> None:
    folder = tmp_path / "ab12cd34"
    child = start_holder(folder)
    line = rf"ab12cd34 is being trained by process {child.pid} on .+ since 20.+; wait for it"
    with pytest.raises(UserError, match=line), holder.hold(folder):
        pass
    assert (folder / holder.NAME).exists()  # the refused one took nothing away
    child.send_signal(signal.SIGKILL)
    child.wait()
    with holder.hold(folder):
        assert json.loads((folder / holder.NAME).read_text())["pid"] == os.getpid()
    assert not (folder / holder.NAME).exists()


def test_a_reused_number_and_another_boot_are_stale(tmp_path: Path) -> None:
    pid, started = os.getppid(), process.start_time(os.getppid())
    leave(tmp_path, pid=pid, started=started)
    assert holder.other(tmp_path) is not None
    leave(tmp_path, pid=pid, started="another time")
    assert holder.other(tmp_path) is None
    leave(tmp_path, pid=pid, started=started, boot="another")
    assert holder.other(tmp_path) is None


def test_another_host_is_believed_unless_slurm_knows_better(tmp_path, monkeypatch) -> None:
    leave(tmp_path, host="elsewhere")
    with pytest.raises(UserError, match=r"on elsewhere .* if that one is gone, remove .*running"):
        holder.hold(tmp_path).__enter__()
    monkeypatch.setenv("PATH", str(tmp_path))
    leave(tmp_path, host="elsewhere", slurm_job="7")
    assert holder.other(tmp_path) is not None  # nobody to ask
    client = tmp_path / "squeue"
    for answer, held in (
        ("echo RUNNING", True),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", False),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", True),
        ("exit 0", False),
    ):
        client.write_text(f"#!/bin/sh\n{answer}\n")
        client.chmod(0o755)
        assert (holder.other(tmp_path) is not None) == held, answer
    client.write_text("#!/bin/sh\necho RUNNING\n")
    monkeypatch.setenv("SLURM_JOB_ID", "7")  # requeued on another node
    assert holder.other(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_a_cut_file_holds_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / holder.NAME).write_text(text)
    with holder.hold(tmp_path):
        assert holder.read(tmp_path) is not None


def test_training_is_refused_while_another_process_trains(tmp_path: Path) -> None:
    folder = tmp_path / "xps" / "toy"
    child = start_holder(folder)
    try:
        with pytest.raises(UserError, match="toy is being trained by process"):
            toy.run(tmp_path)
        assert not (folder / "history.json").exists()
        toy.run(tmp_path, "download_only=true")  # takes nothing from the other
    finally:
        child.kill()
        child.wait()
    begun = time.monotonic()
    toy.run(tmp_path)
    assert (folder / "finished.json").exists() and not (folder / holder.NAME).exists()
    assert time.monotonic() - begun < 60

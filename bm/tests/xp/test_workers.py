"""Workers of a distributed run, without any training: they leave together and outlive nobody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bm.tests.xp.jobs import PythonRunner, add
from bm.tests.xp.project import ROOT
from bm.xp import process, workers
from bm.xp.queue import COMPLETED, FAILED, PENDING, RUNNING, Queue
from bm.xp.workers import Workers

#: Writes that it is there, and leaves with 85 half a second after SIGTERM.
SAVES = """
import os, signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
open(os.path.join(FOLDER, f"up{os.getpid()}"), "w").close()
until = time.time() + 60
while not asked and time.time() < until:
    time.sleep(0.02)
time.sleep(0.5)
sys.exit(85)
"""
#: Starts two workers, as `dora run -d` does, unless a file `stop` says that it was here before.
PARENT = """
import os, sys
FOLDER = {folder!r}
if os.path.exists(os.path.join(FOLDER, "stop")):
    sys.exit(0)
sys.path.insert(0, {root!r})
from bm.xp.workers import Workers
group = Workers()
with group.listening():
    for program in {programs!r}:
        group.start([sys.executable, "-c", f"FOLDER = {{FOLDER!r}}\\n" + program], os.environ)
    sys.exit(group.wait())
"""


def parent(folder: Path, *programs: str) -> str:
    return PARENT.format(folder=str(folder), root=str(ROOT), programs=list(programs))


def up(folder: Path, count: int) -> list[int]:
    """Numbers of the workers, once there are as many."""
    until = time.monotonic() + 60
    while len(list(folder.glob("up*"))) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    return [int(path.name[2:]) for path in folder.glob("up*")]


def ended(pids: list[int], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while any(process.start_time(pid) is not None for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_workers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", parent(tmp_path, SAVES, SAVES)])
    pids = up(tmp_path, 2)
    child.kill()
    child.wait()
    assert ended(pids)


def test_the_parent_passes_on_what_it_is_asked_and_leaves_as_they_do(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", parent(tmp_path, SAVES, SAVES)])
    pids = up(tmp_path, 2)
    child.terminate()
    assert child.wait(30) == 85
    assert ended(pids)


@pytest.mark.parametrize(
    ("programs", "code"),
    [
        (["pass", "pass"], 0),
        ([SAVES, "raise SystemExit(2)"], 2),
        ([SAVES, "import os; os.kill(os.getpid(), 9)"], 1),
        (["raise SystemExit(85)", "raise SystemExit(85)"], 85),
        (["raise SystemExit(130)", "raise SystemExit(130)"], 130),
        (["raise SystemExit(85)", "raise SystemExit(1)"], 1),
    ],
)
def test_exit_code_of_the_run(tmp_path: Path, programs: list[str], code: int) -> None:
    group = Workers()
    for program in programs:
        words = [sys.executable, "-c", f"FOLDER = {str(tmp_path)!r}\n{program}"]
        group.start(words, os.environ)
    assert group.wait() == code


def test_a_worker_that_does_not_leave_is_killed_and_the_run_starts_again(monkeypatch) -> None:
    monkeypatch.setattr(workers, "LEAVE_S", 0.5)
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    group = Workers()
    group.start([sys.executable, "-c", program], os.environ)
    group.signalled = True
    group._within(workers.LEAVE_S)
    begun = time.monotonic()
    assert group.wait() == 85 and time.monotonic() - begun < 20


def test_a_group_that_is_terminated_is_queued_again(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "local")
    job = add(queue, "a" * 8, parent(tmp_path, SAVES, SAVES))
    runner = PythonRunner(queue, 1, 0)
    runner.turn()
    pids = up(tmp_path, 2)
    os.killpg(queue.read(job)["pid"], signal.SIGTERM)
    runner.active[0].child.wait(30)
    (tmp_path / "stop").touch()
    runner.turn()
    assert queue.read(job)["state"] in (PENDING, RUNNING) and ended(pids)
    while runner.turn():
        time.sleep(0.02)
    assert queue.state(job) == COMPLETED


def test_a_job_that_is_terminated_before_it_listens_is_queued_again(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "local")
    job = add(queue, "a" * 8, "import time; time.sleep(60)")
    runner = PythonRunner(queue, 1, 0)
    runner.turn()
    os.kill(queue.read(job)["pid"], signal.SIGTERM)
    runner.active[0].child.wait()
    runner.reap()
    assert queue.read(job)["state"] == PENDING


LEAVES = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); {report}; sys.exit(1)"


def test_nothing_of_an_ended_job_runs_on(tmp_path: Path) -> None:
    queue, note = Queue(tmp_path / "local"), tmp_path / "pid"
    program = LEAVES.format(report=f"open({str(note)!r}, 'w').write(str(p.pid))")
    job = add(queue, "a" * 8, program)
    runner = PythonRunner(queue, 1, 0)
    runner.turn()
    runner.active[0].child.wait()
    pid = json.loads(note.read_text())
    assert process.start_time(pid) is not None
    runner.turn()
    assert queue.state(job) == FAILED and ended([pid])


def test_a_foreign_process_with_the_number_of_a_job_is_left_alone() -> None:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    process.end_rest(child.pid)  # it runs: what is asked about is another one
    time.sleep(0.2)
    assert child.poll() is None
    child.kill()
    child.wait()

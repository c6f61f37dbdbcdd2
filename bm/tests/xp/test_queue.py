"""The local queue: order, slots, cancel, requeue, lost processes, upstream."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import filelock
import pytest

from bm.errors import UserError
from bm.tests.xp.jobs import PythonRunner, add
from bm.train import main
from bm.xp import executor, marker, process
from bm.xp.queue import CANCELLED, COMPLETED, FAILED, NODE_FAIL, PENDING, RUNNING, LocalJob, Queue
from bm.xp.runner import Runner, count_slots


def serve(queue: Queue, slots: int = 1, turns: int = 400) -> Runner:
    runner = PythonRunner(queue, slots, 0)
    with queue.lock():
        runner.adopt()
    for _ in range(turns):
        if not runner.turn():
            return runner
        time.sleep(0.02)
    raise AssertionError("the queue did not empty")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "local")


def test_jobs_run_in_order_and_their_exit_code_is_their_state(queue: Queue) -> None:
    trace = queue.folder / "trace"
    first = add(queue, "a" * 8, f"open({str(trace)!r}, 'a').write('1')")
    second = add(queue, "b" * 8, f"open({str(trace)!r}, 'a').write('2'); raise SystemExit(1)")
    third = add(queue, "c" * 8, f"print('hello'); open({str(trace)!r}, 'a').write('3')")
    serve(queue)
    assert trace.read_text() == "123"
    assert [queue.state(job) for job in (first, second, third)] == [COMPLETED, FAILED, COMPLETED]
    assert "hello" in Path(queue.read(third)["log"]).read_text()
    assert not (queue.folder / "runner.json").exists()


def test_slots_bound_what_runs_at_once_and_share_the_threads(queue, monkeypatch) -> None:
    monkeypatch.delenv("BM_THREADS", raising=False)
    program = "import os, time; print(os.environ['BM_THREADS']); time.sleep(0.3)"
    jobs = [add(queue, f"{n:08x}", program) for n in range(3)]
    runner = PythonRunner(queue, 2, 0)
    runner.turn()
    assert [queue.read(job)["state"] for job in jobs] == [RUNNING, RUNNING, PENDING]
    serve(queue, 2)
    threads = Path(queue.read(jobs[0])["log"]).read_text().strip()
    assert threads == str(max(1, process.cores() // 2))
    monkeypatch.setenv("BM_THREADS", "7")  # what the user says wins
    variables = runner.environment((0,))
    assert variables["BM_THREADS"] == variables["OMP_NUM_THREADS"] == "7"
    monkeypatch.setenv("BM_SLOTS", "3")
    assert count_slots(0) == 3
    monkeypatch.delenv("BM_SLOTS")
    assert (count_slots(0), count_slots(4)) == (1, 4)


def test_a_resting_runner_reads_no_jobs_until_something_happens(queue, monkeypatch) -> None:
    job = add(queue, "a" * 8, "import time; time.sleep(1.2)")
    runner, looks = PythonRunner(queue, 1, 0), []
    monkeypatch.setattr(runner, "turn", lambda: (looks.append(1), PythonRunner.turn(runner))[1])
    runner.serve()
    assert queue.state(job) == COMPLETED
    assert len(looks) <= 4  # started, seen started, ended, nothing left


def test_a_resting_runner_sees_a_new_job_at_once(queue: Queue, monkeypatch) -> None:
    monkeypatch.setattr("bm.xp.runner.LOOK_S", 60.0)  # far behind what a busy machine takes
    add(queue, "a" * 8, "import time; time.sleep(30)")
    runner = PythonRunner(queue, 2, 0)
    runner.turn()
    runner.turn()  # what it changed itself is seen now
    began = time.monotonic()
    threading.Timer(0.2, lambda: add(queue, "b" * 8)).start()
    runner.rest()
    assert 0.15 < time.monotonic() - began < 30
    queue.cancel([record["job_id"] for record in queue.records()])


def test_each_slot_gets_its_gpu(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(queue, 4, 2)
    assert [runner.environment((k,))["CUDA_VISIBLE_DEVICES"] for k in range(4)] == list("0101")
    assert "RANK" not in runner.environment((0, 1)) or os.environ.get("RANK")
    assert runner.command({"package": "bm", "argv": ["a=1"]}, 2)[-4:] == [
        "--ddp_workers",
        "2",
        "--",
        "a=1",
    ]


def test_cancel_ends_a_running_job_and_keeps_a_waiting_one_from_starting(queue: Queue) -> None:
    running = add(queue, "a" * 8, "import time; time.sleep(60)")
    waiting = add(queue, "b" * 8)
    runner = PythonRunner(queue, 1, 0)
    runner.turn()
    pid, started = queue.read(running)["pid"], queue.read(running)["started"]
    queue.cancel([running, waiting])
    assert not process.alive(pid, started)
    assert not runner.turn()
    assert queue.state(running) == queue.state(waiting) == CANCELLED


def test_a_job_that_asks_for_a_requeue_runs_again(queue: Queue) -> None:
    flag = queue.folder / "flag"
    program = (
        f"import os, sys; p = {str(flag)!r}; "
        "sys.exit(0) if os.path.exists(p) else (open(p, 'w').close(), sys.exit(85))"
    )
    job = add(queue, "a" * 8, program)
    serve(queue)
    assert queue.state(job) == COMPLETED and flag.exists()


def test_a_lost_process_is_a_node_failure(queue: Queue) -> None:
    job = add(queue, "a" * 8, "import time; time.sleep(60)")
    runner = PythonRunner(queue, 1, 0)
    runner.turn()
    os.killpg(queue.read(job)["pid"], signal.SIGKILL)
    runner.active[0].child.wait()
    assert queue.state(job) == NODE_FAIL  # no runner is alive to judge it


def test_a_new_runner_adopts_what_an_old_one_left(queue: Queue) -> None:
    alive = add(queue, "a" * 8, "import time; time.sleep(1.0)")
    gone = add(queue, "b" * 8, "import time; time.sleep(60)")
    completed = add(queue, "c" * 8, "import time; time.sleep(60)")
    old = PythonRunner(queue, 3, 0)
    old.turn()
    for job in (gone, completed):
        os.killpg(queue.read(job)["pid"], signal.SIGKILL)
    children = [item.child for item in old.active]
    marker.write(Path(queue.read(completed)["folder"]), {})
    marker.write(Path(queue.read(alive)["folder"]), {})
    children[1].wait(), children[2].wait()
    runner = PythonRunner(queue, 3, 0)
    with queue.lock():
        runner.adopt()
    runner.turn()
    states = [queue.read(job)["state"] for job in (alive, gone, completed)]
    assert states == [RUNNING, NODE_FAIL, COMPLETED]
    children[0].wait()
    assert not runner.turn() and queue.state(alive) == COMPLETED


def test_downstream_waits_runs_after_success_and_is_cancelled_after_failure(queue: Queue) -> None:
    up, bad = "a" * 8, "b" * 8
    xps = queue.folder.parent / "xps"
    finish = f"open({str(xps / up / marker.NAME)!r}, 'w').write('{{}}')"
    below = add(queue, "c" * 8, "pass", [up])  # named before its upstream
    add(queue, up, finish)
    add(queue, bad, "raise SystemExit(1)")
    stuck = add(queue, "d" * 8, "pass", [bad])
    orphan = add(queue, "e" * 8, "pass", ["f" * 8])
    serve(queue)
    assert queue.state(below) == COMPLETED
    assert queue.state(stuck) == queue.state(orphan) == CANCELLED
    assert (
        "FAILED" in queue.read(stuck)["reason"] and "run it first" in queue.read(orphan)["reason"]
    )
    assert "not started" in Path(queue.read(orphan)["log"]).read_text()


def test_an_upstream_finished_elsewhere_is_honoured(queue: Queue) -> None:
    up = "a" * 8
    folder = queue.folder.parent / "xps" / up
    folder.mkdir(parents=True)
    marker.write(folder, {})
    job = add(queue, "b" * 8, "pass", [up])
    serve(queue)
    assert queue.state(job) == COMPLETED


def test_numbers_are_never_used_twice(queue: Queue) -> None:
    first = add(queue, "a" * 8)
    queue.path(first).unlink()
    assert add(queue, "b" * 8) != first


def test_finished_jobs_of_a_folder_that_cannot_be_written_can_be_looked_at(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(queue.folder / "queue.lock"))

    job = add(queue, "a")
    with queue.lock():
        queue.change(job, state=COMPLETED)
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    queue.ensure_runner()
    assert queue.state(job) == COMPLETED


@pytest.mark.parametrize("shell", [True, False])
def test_a_queue_that_cannot_be_written_is_one_line_for_whoever_asks_for_states(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: bool
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(queue.folder / "queue.lock"))

    add(queue, "a")
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    monkeypatch.setattr(main, "shell", shell)
    monkeypatch.setattr(main.dora, "dir", str(queue.folder.parent))
    with pytest.raises(SystemExit if shell else UserError) as caught:
        executor.update(SimpleNamespace(main=main))
    if shell:
        text = capsys.readouterr().err.strip()
        assert caught.value.code == 2 and "read-only" in text and "\n" not in text


def test_handle_survives_the_process_that_made_it(queue: Queue) -> None:
    job = LocalJob(queue.folder, add(queue, "a" * 8))
    copy = pickle.loads(pickle.dumps(job))
    assert copy.watcher.get_state(copy.job_id) == PENDING and not copy.is_done(copy.job_id)
    copy.cancel()
    assert job.state == CANCELLED and job.is_done(job.job_id)
    queue.path(job.job_id).unlink()
    assert job.state == NODE_FAIL  # a wiped queue does not keep a table waiting for ever


def test_a_reused_process_number_is_not_taken_for_the_job() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    started = process.start_time(child.pid)
    assert process.alive(child.pid, started) and not process.alive(child.pid, "another time")
    child.kill()
    child.wait()
    assert not process.alive(child.pid, started)

"""One grid from two terminals, and the jobs that `-C` finds, without processes or a clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from dora import grid as dora_grid
from dora.conf import SubmitRules
from dora.shep import Sheep, Shepherd

from bm.tests.xp.jobs import PythonRunner, add
from bm.train import main
from bm.xp import executor, holder, marker
from bm.xp.queue import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, Queue


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    monkeypatch.setattr(executor, "choose", lambda: "local")
    monkeypatch.setattr(Queue, "ensure_runner", lambda self: None)
    return Queue(tmp_path / "local")


class Terminal:
    """A `dora grid` that has read the states, up to its submission."""

    def __init__(self, n: int = 3, **rules: bool) -> None:
        self.shepherd = Shepherd(main)
        argvs = [[f"seed={seed}"] for seed in range(n)]
        self.sheeps = [self.shepherd.get_sheep_from_argv(argv) for argv in argvs]
        for sheep in self.sheeps:
            slurm = main.get_slurm_config()
            self.shepherd.maybe_submit_lazy(sheep, slurm, SubmitRules(**rules))

    def submit(self) -> list[Sheep]:
        self.shepherd.commit()
        return self.sheeps


def states(jobs: Queue) -> list[str]:
    return [record["state"] for record in jobs.records()]


def test_two_terminals_queue_each_experiment_once(jobs: Queue) -> None:
    first, second = Terminal(), Terminal()
    one, two = first.submit(), second.submit()
    assert states(jobs) == [PENDING] * 3
    assert [s.job.job_id for s in one] == [s.job.job_id for s in two]
    assert len({record["sig"] for record in jobs.records()}) == 3


def test_a_job_that_ended_between_two_terminals_is_not_queued_again(jobs: Queue) -> None:
    first, second = Terminal(1), Terminal(1)
    (sheep,) = first.submit()
    with jobs.lock():
        jobs.change(sheep.job.job_id, state=COMPLETED)
    second.submit()
    assert states(jobs) == [COMPLETED]


def test_two_terminals_retry_each_failure_once(jobs: Queue) -> None:
    (sheep,) = Terminal(1).submit()
    with jobs.lock():
        jobs.change(sheep.job.job_id, state=FAILED)
    assert Terminal(1).submit()[0].state() == FAILED  # without -r it stays
    first, second = Terminal(1, retry=True), Terminal(1, retry=True)
    first.submit(), second.submit()
    assert states(jobs) == [FAILED, PENDING]


def test_replacing_cancels_and_queues_again(jobs: Queue) -> None:
    Terminal(2).submit()
    Terminal(2, replace=True).submit()
    assert states(jobs) == [CANCELLED, CANCELLED, PENDING, PENDING]


def test_an_experiment_that_waits_without_a_handle_is_not_queued_again(jobs: Queue) -> None:
    (sheep,) = Terminal(1).submit()
    sheep._job_file.unlink()
    (again,) = Terminal(1).submit()
    assert states(jobs) == [PENDING] and again.job.job_id == sheep.job.job_id


def test_cancel_finds_every_job_of_an_experiment(jobs: Queue) -> None:
    (sheep,) = Terminal(1).submit()
    copies = [add(jobs, sheep.xp.sig), add(jobs, sheep.xp.sig)]
    other = add(jobs, "f" * 8)
    executor.cancel(Shepherd(main), [sheep.job])
    assert states(jobs) == [CANCELLED] * 3 + [PENDING]
    copies = [add(jobs, sheep.xp.sig)]  # its own job has ended: Dora would cancel nothing
    executor.cancel_others(main, [sheep])
    assert [jobs.state(job) for job in (*copies, other)] == [CANCELLED, PENDING]


def test_copies_of_an_experiment_never_run_at_once(jobs: Queue) -> None:
    first, second = (add(jobs, "a" * 8, "import time; time.sleep(0.5)") for _ in range(2))
    runner = PythonRunner(jobs, 2, 0)
    runner.turn()
    assert (jobs.read(first)["state"], jobs.read(second)["state"]) == (RUNNING, PENDING)
    runner.active[0].child.wait()
    runner.turn()
    assert (jobs.read(first)["state"], jobs.read(second)["state"]) == (COMPLETED, RUNNING)
    runner.active[0].child.wait()


def test_a_job_waits_while_somebody_trains_its_experiment(jobs: Queue, monkeypatch) -> None:
    job = add(jobs, "a" * 8)
    folder = Path(jobs.read(job)["folder"])
    runner = PythonRunner(jobs, 1, 0)
    answers = [{"host": "here"}, None]
    monkeypatch.setattr(holder, "other", lambda _: answers.pop(0))
    monkeypatch.setattr(holder, "is_here", lambda values: values["host"] == "here")
    assert runner.turn() and jobs.read(job)["state"] == PENDING
    assert runner.turn() and jobs.read(job)["state"] == RUNNING
    runner.active[0].child.wait()
    runner.turn()
    assert jobs.read(job)["state"] == COMPLETED and not marker.exists(folder)


def test_submission_asks_git_twice_and_lists_the_queue_once(jobs: Queue, monkeypatch) -> None:
    calls: list[str] = []
    run, glob = executor.subprocess.run, Path.glob
    monkeypatch.setattr(
        executor.subprocess, "run", lambda *a, **k: (calls.append(a[0][0]), run(*a, **k))[1]
    )
    monkeypatch.setattr(Path, "glob", lambda self, name: (calls.append(name), glob(self, name))[1])
    Terminal(6).submit()
    assert calls.count("git") == 2 and calls.count("L*.json") <= 3
    assert len(jobs.records()) == 6


def test_grid_with_cancel_looks_for_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(dora_grid, "run_grid", lambda *_: ["sheep"])
    monkeypatch.setattr(executor, "cancel_others", lambda main, sheeps: seen.extend(sheeps))
    executor._mend_cancel()
    for cancel, dry in ((False, False), (True, True), (True, False)):
        options = dora_grid.RunGridArgs(cancel=cancel, dry_run=dry)
        assert dora_grid.run_grid(main, None, "x", None, None, options) == ["sheep"]
        assert len(seen) == (cancel and not dry)

"""Runner of the local queue: `python -m bm.xp.runner FOLDER` takes jobs until none is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..writing import locked
from . import holder, marker, process, queue
from .files import write_json
from .queue import Queue, upstream_state

POLL_S = 0.1
LEAVE_S = 20.0  # of a cancelled job, before it is killed
#: A job waits for a word. When this process dies before the record of the job names its process,
#: which nothing could reach then, its input ends, and so does the job.
GATE = ("/bin/sh", "-c", 'read -r word && exec "$@" </dev/null', "sh")
LOOK_S = 2.0  # without any sign, look at all jobs: `dora run` may have finished an upstream
#: The job saved its state, or was asked to leave before it had one: it is started again.
REQUEUED = (queue.REQUEUE_EXIT, -signal.SIGTERM)


def count_gpus() -> int:
    """Return the number of GPUs of this machine, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    result = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return result.stdout.count("GPU ") if result.returncode == 0 else 0


def count_slots(gpus: int) -> int:
    """Return how many experiments run at once: BM_SLOTS, else one per GPU, else one."""
    return max(1, int(os.environ.get("BM_SLOTS") or gpus or 1))


@dataclass
class Started:
    """Job that this runner started or took over, with the slots it holds."""

    job_id: str
    pid: int
    started: str
    slots: tuple[int, ...]
    child: subprocess.Popen | None
    asked: float | None = None  # when it was asked to leave


def cancelled_lives(record: dict[str, Any]) -> bool:
    """Return whether the process of a cancelled job still runs."""
    return record["state"] == queue.CANCELLED and queue.is_living(record)


def over(item: Started) -> bool:
    """Return whether a job's process has ended."""
    if item.child is not None:
        return item.child.poll() is not None
    return not process.alive(item.pid, item.started)


class Runner:
    """Serves one queue: reaps what ended, starts what can start.

    Args:
        jobs: the queue.
        slots: experiments at once.
        gpus: of the machine; slot k gets GPU k.
    """

    def __init__(self, jobs: Queue, slots: int, gpus: int) -> None:
        self.jobs, self.slots, self.gpus = jobs, slots, gpus
        self.active: list[Started] = []
        self.last_stamp = -1

    def serve(self) -> None:
        """Work until nothing is queued or running."""
        with self.jobs.lock():
            entry = {"pid": os.getpid(), "started": process.start_time(os.getpid())}
            write_json(self.jobs.folder / queue.RUNNER, entry)
            self.adopt()
        while self.turn():
            self.rest()

    def rest(self) -> None:
        """Wait until a job ended, a file of the queue changed, or `LOOK_S` are over.

        Reading every job ten times a second would cost a tenth of a core for a hundred jobs.
        """
        until = time.monotonic() + LOOK_S
        while time.monotonic() < until:
            time.sleep(POLL_S)
            if self.stamp() != self.last_stamp or any(over(item) for item in self.active):
                return

    def stamp(self) -> int:
        """Return a number that changes whenever a file of the queue is written."""
        return self.jobs.folder.stat().st_mtime_ns

    def turn(self) -> bool:
        """Reap and start; return false when nothing is left and the runner's entry is removed."""
        self.last_stamp = self.stamp()  # before reading: what changes meanwhile is seen next time
        self.reap()
        with self.jobs.lock():
            records = self.jobs.records()
            self.end_cancelled(records)
            for record in records:
                if record["state"] == queue.PENDING:
                    self.consider(record, records)
            left = self.active or any(r["state"] == queue.PENDING for r in self.jobs.records())
            if not left:
                (self.jobs.folder / queue.RUNNER).unlink(missing_ok=True)
            return bool(left)

    def adopt(self) -> None:
        """Take over the jobs of a runner that died: living ones are watched, the rest judged."""
        self.jobs.settle()
        for record in self.jobs.records():
            if record["state"] == queue.RUNNING or cancelled_lives(record):
                slots = tuple(record.get("slots", (0,)))
                self.active.append(
                    Started(record["job_id"], record["pid"], record["started"], slots, None)
                )

    def reap(self) -> None:
        """Write the state of jobs that ended."""
        for item in list(self.active):
            if not over(item):
                continue
            code = item.child.poll() if item.child is not None else None
            self.active.remove(item)
            # workers that it left would train on in the folder of the next start
            process.end_rest(item.pid)
            with self.jobs.lock():
                self.judge(item, code)

    def end_cancelled(self, records: Sequence[dict[str, Any]]) -> None:
        """Ask cancelled jobs to leave whose terminal died before it could; kill them later."""
        cancelled = {r["job_id"] for r in records if r["state"] == queue.CANCELLED}
        for item in self.active:
            if item.job_id not in cancelled:
                continue
            if item.asked is None:
                item.asked = time.monotonic()
                number = signal.SIGTERM
            elif time.monotonic() > item.asked + LEAVE_S:
                number = signal.SIGKILL
            else:
                continue
            with suppress(ProcessLookupError):
                os.killpg(item.pid, number)

    def judge(self, item: Started, code: int | None) -> None:
        """Write the state of an ended job; without a code (not our child) the marker decides."""
        record = self.jobs.read(item.job_id)
        if record is None or record["state"] == queue.CANCELLED:
            return
        # The exit status of a process that another runner started is nowhere to be read.
        if code is None:
            finished = marker.settled(Path(record["folder"]))
            state = queue.COMPLETED if finished else queue.NODE_FAIL
        elif code in REQUEUED:  # SIGTERM or a preemption: it goes on from its checkpoint
            self.jobs.change(item.job_id, state=queue.PENDING, pid=None, started=None)
            return
        else:
            state = queue.COMPLETED if code == 0 else queue.FAILED
        self.jobs.change(item.job_id, state=state, exit_code=code, ended=time.time())

    def free(self) -> list[int]:
        """Return the slots that nobody holds."""
        held = {slot for item in self.active for slot in item.slots}
        return [slot for slot in range(self.slots) if slot not in held]

    def consider(self, record: dict[str, Any], records: list[dict[str, Any]]) -> None:
        """Start a pending job when its upstream has finished and slots are free."""
        xps = Path(record["folder"]).parent
        answer = upstream_state(record, records, xps)
        if answer not in ("ready", "wait"):
            self.jobs.change(record["job_id"], state=queue.CANCELLED, reason=answer)
            record["state"] = queue.CANCELLED  # for the next in this turn, which may wait for it
            Path(record["log"]).parent.mkdir(parents=True, exist_ok=True)
            with open(record["log"], "a") as log:  # it may hold what the job said before
                log.write(f"not started: {answer}\n")
            return
        if answer == "ready" and self.is_busy(record, records):
            return
        # More GPUs than there are would wait for ever: such a job gets all of them.
        need = min(max(1, record["gpus"]), self.slots) if self.gpus else 1
        free = self.free()
        if answer == "ready" and len(free) >= need:
            self.start(record, tuple(free[:need]))

    def is_busy(self, record: dict[str, Any], records: list[dict[str, Any]]) -> bool:
        """Return whether the experiment of a pending job is trained already, here: it waits.

        By another job, or by a process that somebody started in a terminal.
        """
        others = [item for item in records if item["sig"] == record["sig"]]
        if any(item["state"] == queue.RUNNING or cancelled_lives(item) for item in others):
            return True
        values = holder.other(Path(record["folder"]))
        # of another host nobody can say whether it still runs: the job itself ends with a line
        return values is not None and holder.is_here(values)

    def environment(self, slots: tuple[int, ...]) -> dict[str, str]:
        """Return the environment of a job: its share of threads, its GPUs, its rank.

        `BM_THREADS` of the user wins: on a machine that others use too, threads that wait for each
        other make a step ten and more times slower.
        """
        share = max(1, process.cores() // self.slots)
        threads = os.environ.get("BM_THREADS") or str(share)
        variables = {**os.environ, "BM_THREADS": threads}
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            variables[name] = threads
        if self.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(str(slot % self.gpus) for slot in slots)
        if len(slots) == 1:
            # Dora then skips its check whether the job already runs: it is this one.
            variables |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
        return variables

    def command(self, record: dict[str, Any], workers: int) -> list[str]:
        """Return the command line of a job: `dora run`, on several slots with as many processes."""
        words = [sys.executable, "-u", "-m", "dora", "-P", record["package"], "run"]
        if workers > 1:
            words += ["-d", "--ddp_workers", str(workers)]
        return [*words, "--", *record["argv"]]

    def start(self, record: dict[str, Any], slots: tuple[int, ...]) -> None:
        """Start a job in a session of its own, which begins once its record names it."""
        log = Path(record["log"])
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as output:
            child = subprocess.Popen(
                [*GATE, *self.command(record, len(slots))],
                cwd=record["cwd"],
                env=self.environment(slots),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, which `cancel` can end as a whole
            )
        started = process.start_time(child.pid) or ""
        self.jobs.change(
            record["job_id"],
            state=queue.RUNNING,
            pid=child.pid,
            started=started,
            slots=list(slots),
            began=time.time(),
        )
        record["state"] = queue.RUNNING  # for the next in this turn, which may be the same one
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(b"go\n")
        self.active.append(Started(record["job_id"], child.pid, started, slots, child))


def main(folder: str) -> int:
    """Serve a queue unless another runner does."""
    from filelock import Timeout

    jobs = Queue(Path(folder))
    gpus = count_gpus()
    try:
        with locked(jobs.folder / "runner.lock", timeout=10):
            Runner(jobs, count_slots(gpus), gpus).serve()
    except Timeout:
        print("another runner serves this queue")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

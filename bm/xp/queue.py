"""Local queue: one JSON file per job, a handle that Dora understands, and its runner's life.

Every change of a job file is made under one lock and by renaming, so that terminals, runners and
jobs may die at any moment. The runner decides to leave under the same lock that a submission
takes, so that no job is left without one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..writing import explained, locked, sync
from . import marker, process
from .files import read_or_warn, write_json

PENDING, RUNNING, COMPLETED, FAILED = "PENDING", "RUNNING", "COMPLETED", "FAILED"
CANCELLED, NODE_FAIL = "CANCELLED", "NODE_FAIL"
ACTIVE = (PENDING, RUNNING)
ENDED = (COMPLETED, FAILED, CANCELLED, NODE_FAIL)
REQUEUE_EXIT = 85  # a job saved its state and wants to be started again
FOLDER = "local"  # below the output folder
RUNNER = "runner.json"
COUNTER = "counter.json"


#: Without them a record is not one.
KEYS = {"job_id", "sig", "state", "pid", "started", "folder", "upstream"}


def _whole(record: dict[str, Any] | None) -> dict[str, Any] | None:
    return record if record is not None and {*record} >= KEYS else None


class Queue:
    """Jobs below one output folder.

    Args:
        folder: `outputs/local`; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).resolve()
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._last: int | None = None  # number of the last job, while the lock is held
        self._written = False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock: one process at a time changes jobs or decides about the runner."""
        with locked(self.folder / "queue.lock"):
            self._last, self._written = None, False
            try:
                yield
            finally:
                if self._last is not None:
                    write_json(self.folder / COUNTER, {"last": self._last})
                if self._written:  # else a power cut may bring a cancelled job back
                    sync(self.folder)

    def path(self, job_id: str) -> Path:
        """Return the file of a job."""
        return self.folder / f"{job_id}.json"

    def read(self, job_id: str) -> dict[str, Any] | None:
        """Return the record of a job, None when it is gone."""
        return _whole(read_or_warn(self.path(job_id)))

    def change(self, job_id: str, **values: Any) -> None:
        """Change some values of a record; take the lock first."""
        record = self.read(job_id)
        if record is not None:
            write_json(self.path(job_id), {**record, **values})
            self._written = True

    def records(self) -> list[dict[str, Any]]:
        """Return all jobs in the order of submission."""
        # A damaged one is named in the log, and counts as gone: its experiment can be queued anew.
        records = (self.read(path.stem) for path in sorted(self.folder.glob("L*.json")))
        return [record for record in records if record is not None]

    def active(self, sigs: Collection[str]) -> list[str]:
        """Return the ids of all queued and running jobs of experiments."""
        records = (r for r in self.records() if r["sig"] in sigs and r["state"] in ACTIVE)
        return [str(record["job_id"]) for record in records]

    def reachable(self, sigs: Collection[str]) -> list[str]:
        """Return the ids that `cancel` can do something about, of experiments."""
        return [str(r["job_id"]) for r in self.records() if r["sig"] in sigs and is_living(r)]

    def next_id(self) -> str:
        """Return a number that no job had, even after old files are gone; take the lock first."""
        # Dora links outputs/by_id/NUMBER and fails when the link is there.
        if self._last is None:
            last = (read_or_warn(self.folder / COUNTER) or {}).get("last", 0)
            last = last if isinstance(last, int) else 0
            numbers = [int(path.stem[1:]) for path in self.folder.glob("L*.json")]
            self._last = max([last, *numbers])
        # Listed and written once per lock: of 128 submissions that was most of the time.
        self._last += 1
        return f"L{self._last:06d}"

    def add(self, values: dict[str, Any]) -> str:
        """Queue a job; returns its id. Take the lock first."""
        job_id = self.next_id()
        record = {"state": PENDING, "pid": None, "started": None, "reason": "", **values}
        log = str(values["log"]).replace("JOB", job_id)
        write_json(self.path(job_id), {**record, "job_id": job_id, "log": log})
        self._written = True
        return job_id

    def runner_alive(self) -> bool:
        """Return whether a runner serves this queue."""
        entry = read_or_warn(self.folder / RUNNER) or {}
        return "pid" in entry and process.alive(entry["pid"], entry.get("started"))

    def ensure_runner(self) -> None:
        """Start a runner when there is work and none; it outlives this terminal."""
        with self.lock():
            if self.runner_alive():
                return
            self.settle()
            if not any(map(is_living, self.records())):
                return
            with open(self.folder / "runner.log", "a") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "bm.xp.runner", str(self.folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # it survives the terminal
                    env={**os.environ, "PYTHONPATH": _search_path()},
                )
            # Its own file comes later: until then this entry keeps a second one away.
            write_json(
                self.folder / RUNNER, {"pid": child.pid, "started": process.start_time(child.pid)}
            )

    def settle(self) -> None:
        """Judge the jobs that a dead runner left as running; take the lock first.

        Their exit status is lost with it: the marker decides between finished and lost.
        """
        for record in self.records():
            if record["state"] != RUNNING or process.alive(record["pid"], record["started"]):
                continue
            if record["pid"] is not None:
                process.end_rest(record["pid"])
            state = COMPLETED if marker.settled(Path(record["folder"])) else NODE_FAIL
            self.change(record["job_id"], state=state, reason="its runner died", ended=time.time())

    def state(self, job_id: str) -> str:
        """Return the state of a job; one whose process and runner are both gone is lost."""
        record = self.read(job_id)
        if record is None:
            return NODE_FAIL
        lost = record["state"] == RUNNING and not process.alive(record["pid"], record["started"])
        if lost and not self.runner_alive():
            return NODE_FAIL
        return str(record["state"])

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Take jobs out of the queue; running ones save their state and end."""
        running, cancelled = [], False
        with self.lock():
            for job_id in job_ids:
                record = self.read(job_id)
                cancelled |= record is not None and record["state"] == CANCELLED
                if record is None or not is_living(record):
                    continue
                if process.alive(record["pid"], record["started"]):
                    running.append((record["pid"], record["started"]))
                if record["state"] == CANCELLED:
                    continue
                self.change(
                    job_id, state=CANCELLED, reason="cancelled by the user", ended=time.time()
                )
            if cancelled:  # by a terminal that may have died before the disk had it
                sync(self.folder)
        # Without the lock: a job may take 20 s to save, and the runner needs it to go on.
        for pid, started in running:
            process.end(pid, started)


def is_living(record: Mapping[str, Any]) -> bool:
    """Return whether a job waits or runs; a cancelled one may, when its terminal died meanwhile."""
    if record["state"] == CANCELLED:
        return process.alive(record["pid"], record["started"])
    return record["state"] in ACTIVE


def upstream_state(record: dict[str, Any], records: Sequence[dict[str, Any]], xps: Path) -> str:
    """Return `ready`, `wait`, or why the job can never start.

    Args:
        record: a pending job with `upstream` signatures.
        records: all jobs.
        xps: folder of the experiments.
    """
    for sig in record["upstream"]:
        if marker.exists(xps / sig):
            continue
        states = [other["state"] for other in records if other["sig"] == sig]
        if any(state in ACTIVE for state in states):
            return "wait"
        if states:
            return f"its upstream {sig} ended as {states[-1]}; retry both with -r"
        return f"its upstream {sig} has not finished and is not queued; run it first"
    return "ready"


class LocalJob:
    """Handle of a job as Dora stores and questions it: id, state, and a watcher that is itself.

    Dora pickles it into the experiment's folder, so it holds nothing but texts.

    Args:
        folder: of the queue.
        job_id: its number.
        sig: its experiment: after a power cut, which may take the files of the latest jobs, their
            numbers are given again.
    """

    sig = ""  # of handles of earlier versions, which trust the number

    def __init__(self, folder: Path, job_id: str, sig: str = "") -> None:
        self.folder = str(folder)
        self.job_id = job_id
        self.sig = sig

    @property
    def _queue(self) -> Queue:
        return Queue(Path(self.folder))

    @property
    def watcher(self) -> LocalJob:
        """Return the object that Dora asks for states."""
        return self

    @property
    def state(self) -> str:
        """Return the state now."""
        return self.get_state(self.job_id)

    @property
    def is_ours(self) -> bool:
        """Whether the number still is of this experiment's job."""
        record = self._queue.read(self.job_id)
        return record is not None and self.sig in ("", record["sig"])

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """Return the state of a job of the same queue."""
        if job_id == self.job_id and not self.is_ours:
            return NODE_FAIL
        return self._queue.state(job_id)

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """Return whether a job has ended, however."""
        return self.get_state(job_id) in ENDED

    def update(self) -> None:
        """Do nothing: states are read from files at each question."""

    def cancel(self) -> None:
        """Take the job out of the queue, or end it."""
        if self.is_ours:
            self._queue.cancel([self.job_id])


def _search_path() -> str:
    """Return PYTHONPATH with the folder of this package, which the runner must find too."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    return os.pathsep.join(dict.fromkeys([root, *paths]))

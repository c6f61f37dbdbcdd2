"""Who trains an experiment: one process at a time writes its folder, by whatever road it came.

The queue, SLURM, `dora run` and `dora run -d` all end in the same training, which holds the folder
by a small file that names process, host and time. No lock of the system is held meanwhile: not
every shared file system has one, and none of them can say who holds it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..writing import locked
from . import process
from .files import DamagedFileError, read_json, write_json

NAME = "running.json"
ANSWER_S = 10.0  # a scheduler that is silent for longer is taken to run the job still


def entry() -> dict[str, Any]:
    """Return what names this process among those of all hosts."""
    return {
        "pid": os.getpid(),
        "started": process.start_time(os.getpid()),
        "host": socket.gethostname(),
        "boot": _boot(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def _boot() -> str:
    """Return the identity of this start of the machine: numbers and times of processes repeat."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # macOS
        return ""


def read(folder: Path) -> dict[str, Any] | None:
    """Return the entry of the last process that took an experiment; None when it has let go."""
    try:
        values = read_json(folder / NAME)
    except DamagedFileError:  # cut by a crash of the machine, which its process did not survive
        return None
    return values if values is not None and {"pid", "started", "host"} <= values.keys() else None


def is_here(values: dict[str, Any]) -> bool:
    """Return whether an entry is of this host, where it can be asked whether its process runs."""
    return bool(values["host"] == socket.gethostname())


def holds(values: dict[str, Any]) -> bool:
    """Return whether the process of an entry may still train.

    On this host by number and start of the process; on another one by SLURM, when the process was
    a job of it. A process elsewhere that nobody can be asked about counts as running.
    """
    if is_here(values):
        same_boot = values.get("boot", "") == _boot()
        return same_boot and process.alive(values["pid"], values["started"])
    job = values.get("slurm_job")
    if not job:
        return True
    # requeued after its node failed: the same job, elsewhere
    return job != os.environ.get("SLURM_JOB_ID") and _slurm_runs(str(job))


def _slurm_runs(job: str) -> bool:
    if shutil.which("squeue") is None:
        return True
    words = ["squeue", "--noheader", "--jobs", job, "--format=%T"]
    try:
        answer = subprocess.run(
            words, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    if answer.returncode != 0:  # a job that ended minutes ago is forgotten
        return "invalid job id" not in answer.stderr.lower()
    return bool(answer.stdout.strip())


def other(folder: Path) -> dict[str, Any] | None:
    """Return the entry of another process that trains the experiment in `folder`, else None."""
    values = read(folder)
    if values is None or (is_here(values) and values["pid"] == os.getpid()):
        return None
    return values if holds(values) else None


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold an experiment while it is trained; what a killed process left is taken over.

    Raises:
        UserError: another process trains it; the line says which, where and since when.
    """
    mine = entry()
    # for the decision only: two processes must not both take over what a third one left
    with locked(folder / f"{NAME}.lock"):
        values = other(folder)
        if values is not None:
            hint = "" if is_here(values) else f"; if that one is gone, remove {folder / NAME}"
            raise UserError(
                f"{folder.name} is being trained by process {values['pid']} on {values['host']} "
                f"since {values.get('since', '?')}; wait for it or end it first{hint}"
            )
        write_json(folder / NAME, mine)
    try:
        yield
    finally:
        if read(folder) == mine:
            (folder / NAME).unlink(missing_ok=True)

"""Processes: is one still the one that was started, and how many cores may this one use?

The number of a process alone is reused by the system.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path


def start_time(pid: int) -> str | None:
    """Return when the process started, as text to compare; None when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # After the name in brackets, which may hold spaces; field 22 of stat is the start.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else fields[19]  # a zombie has ended
    result = subprocess.run(  # macOS has no /proc
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or None


def cores() -> int:
    """Return the processor cores that this process may use: its SLURM share, else its affinity."""
    here = getattr(os, "sched_getaffinity", None)
    count = len(here(0)) if here is not None else os.cpu_count() or 1
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(count, int(granted)) if granted.isdecimal() and int(granted) else count


def alive(pid: int | None, started: str | None) -> bool:
    """Return whether process `pid` runs and started at `started`."""
    return pid is not None and started is not None and start_time(pid) == started


def end(pid: int, started: str, grace_s: float = 20.0) -> None:
    """End a process group: SIGTERM, so that it saves its state, SIGKILL after the grace."""
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if not alive(pid, started):
                end_rest(pid)
                return
            time.sleep(0.05)


def end_rest(pid: int) -> None:
    """Kill what is left of a process group whose first process, `pid`, has ended."""
    # The system gives no process the number of a group that still has members: they are its own.
    if start_time(pid) is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)

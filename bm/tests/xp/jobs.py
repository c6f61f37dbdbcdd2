"""Jobs of the local queue that are Python programs, in place of experiments."""

from __future__ import annotations

import sys

from bm.xp.queue import Queue
from bm.xp.runner import Runner


class PythonRunner(Runner):
    """Runs the first argument of a job as a Python program, in place of `dora run`."""

    def command(self, record, workers):
        return [sys.executable, "-c", record["argv"][0]]


def add(queue: Queue, sig: str, program: str = "pass", upstream=()) -> str:
    folder = queue.folder.parent / "xps" / sig
    folder.mkdir(parents=True, exist_ok=True)
    with queue.lock():
        return queue.add(
            {
                "sig": sig,
                "argv": [program],
                "package": "bm",
                "cwd": str(queue.folder),
                "folder": str(folder),
                "log": str(folder / "JOB_0_log.out"),
                "gpus": 1,
                "upstream": list(upstream),
            }
        )

"""Tests in two processes of one group."""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist

LIMIT_S = 240


def forked(function: Callable[[], Any]) -> int:
    """Run a function in a fork of this process and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        function()
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def statuses(pids: list[int], seconds: float = LIMIT_S) -> list[int]:
    """Wait for processes and return their wait statuses, in order.

    A process that fails leaves the others waiting for it without end: they are killed five seconds
    later, as all are after the limit.
    """
    ended: dict[int, int] = {}
    limit = time.monotonic() + seconds
    while len(ended) < len(pids):
        for pid in pids:
            if pid not in ended:
                number, status = os.waitpid(pid, os.WNOHANG)
                if number:
                    ended[pid] = status
                    if status:
                        limit = min(limit, time.monotonic() + 5)
        if time.monotonic() > limit:
            for pid in set(pids) - set(ended):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return [ended[pid] for pid in pids]


def in_two_processes(folder: Path, worker: Callable[[int], Any]) -> list[Any]:
    """Run `worker(rank)` in two forks of one gloo group and return what each did, rank 0 first.

    Args:
        folder: an empty one for the meeting point and the results.
        worker: returns tensors and plain values.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def run(rank: int) -> None:
        torch.set_num_threads(1)
        store = f"file://{folder}/store"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
        torch.save(worker(rank), folder / f"{rank}.pt")

    pids = [forked(lambda rank=rank: run(rank)) for rank in range(2)]  # type: ignore[misc]
    assert statuses(pids) == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def free_port() -> int:
    """Return a port of this machine that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def launch(count: int, worker: Callable[[int], Any]) -> list[int]:
    """Start `worker(rank)` in forks that meet as those of torchrun do; return their pids."""
    port = str(free_port())

    def run(rank: int) -> None:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE=str(count),
                          RANK=str(rank), LOCAL_RANK=str(rank))  # fmt: skip
        worker(rank)

    return [forked(lambda rank=rank: run(rank)) for rank in range(count)]  # type: ignore[misc]


def launch_two(worker: Callable[[int], Any]) -> list[int]:
    """Start `worker(rank)` in two forks; see `launch`."""
    return launch(2, worker)

"""Tests in two processes of one group."""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist


def in_two_processes(folder: Path, worker: Callable[[int], Any]) -> list[Any]:
    """Run `worker(rank)` in two forks of one gloo group; gives what each returned, rank 0 first.

    Args:
        folder: an empty one for the meeting point and the results.
        worker: returns tensors and plain values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pids = []
    for rank in range(2):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                torch.set_num_threads(1)
                store = f"file://{folder}/store"
                dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
                torch.save(worker(rank), folder / f"{rank}.pt")
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def launch_two(worker: Callable[[int], Any]) -> list[int]:
    """Start `worker(rank)` in two forks that meet as those of torchrun do; gives their pids."""
    port = str(random.randint(20000, 60000))
    pids = []
    for rank in range(2):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2",
                                  RANK=str(rank), LOCAL_RANK=str(rank))  # fmt: skip
                worker(rank)
                code = 0
            except SystemExit as left:
                code = int(left.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        pids.append(pid)
    return pids

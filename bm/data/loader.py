"""Loader: batches gathered in one go, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .batch import Batch

PREFETCH = 2  # batches gathered ahead of the step


@dataclass(frozen=True)
class Plan:
    """What a loader serves.

    Attributes:
        rows: segment rows of the split.
        groups: (n,) group of each row; a batch holds rows of one group (channel set, length).
        batch_size: windows per batch of one process.
        shuffle: new order in every epoch; whole batches only.
        seed: of the order.
        rank, world: this process takes every `world`-th part of a common batch.
    """

    rows: np.ndarray
    groups: np.ndarray
    batch_size: int
    shuffle: bool
    seed: int
    rank: int = 0
    world: int = 1


def epoch_batches(plan: Plan, epoch: int) -> list[np.ndarray]:
    """Return the rows of every batch of an epoch, for this process.

    Shuffled: the rows of each group are permuted and cut into common batches of
    `batch_size * world`; an incomplete rest is left out unless the group has nothing else, and a
    group with fewer rows than processes repeats some until each process has one; then the batches
    are permuted. Every process has as many batches.

    Not shuffled: all rows in their order, each exactly once. A rest smaller than the world joins
    the batch before it, so that every process has as many batches unless a whole group has fewer
    rows than processes: then some go without, because a repeated window would be counted twice.
    """
    # Counter-based: an epoch's order needs no history, so a resumed run computes the same one.
    generator = np.random.Generator(np.random.Philox(key=[plan.seed, epoch]))
    common = plan.batch_size * plan.world
    batches: list[np.ndarray] = []
    for group in np.unique(plan.groups):
        rows = plan.rows[plan.groups == group]
        if plan.shuffle:
            rows = generator.permutation(rows)
            rows = np.resize(rows, max(len(rows), plan.world))
        cuts = [rows[i : i + common] for i in range(0, len(rows), common)]
        if plan.shuffle and len(cuts) > 1 and len(cuts[-1]) < common:
            cuts.pop()
        elif len(cuts) > 1 and len(cuts[-1]) < plan.world:
            cuts[-2:] = [np.concatenate(cuts[-2:])]
        batches += cuts
    if plan.shuffle:
        batches = [batches[i] for i in generator.permutation(len(batches))]
    return [part for part in (batch[plan.rank :: plan.world] for batch in batches) if len(part)]


class Loader:
    """Iterates over batches; a thread gathers ahead. No global generator is touched.

    Args:
        plan: what is served.
        gather: rows -> batch.
        pin: page-locked batches, for asynchronous copies to a GPU.
        augment: changes a batch of an epoch as (seed, epoch, window) say; None = as gathered.

    Attributes:
        position: batches consumed in this epoch.
        wait_s: seconds that the consumer waited for data in this epoch.
    """

    def __init__(
        self,
        plan: Plan,
        gather: Callable[[Sequence[int]], Batch],
        pin: bool,
        augment: Callable[[Batch, int, int], Batch] | None = None,
    ) -> None:
        self.plan, self.gather, self.pin, self.augment = plan, gather, pin, augment
        self.epoch = self.position = 0
        self.wait_s = 0.0
        self._length = len(epoch_batches(plan, 0))

    def __len__(self) -> int:
        return self._length

    def set_epoch(self, epoch: int) -> None:
        """Set the order of epoch `epoch` and go to its beginning."""
        self.epoch, self.position, self.wait_s = epoch, 0, 0.0

    def seek(self, position: int) -> None:
        """Set where iteration begins: after `position` batches."""
        self.position = position

    def __iter__(self) -> Iterator[Batch]:
        batches = epoch_batches(self.plan, self.epoch)[self.position :]
        ready: queue.Queue[Batch | BaseException | None] = queue.Queue(PREFETCH)
        stop = threading.Event()
        # A daemon: an interrupted run need not wait for it.
        worker = threading.Thread(
            target=self._gather_ahead, args=(batches, self.epoch, ready, stop), daemon=True
        )
        worker.start()
        try:
            while True:
                began = time.perf_counter()
                item = ready.get()
                self.wait_s += time.perf_counter() - began
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                self.position += 1
                yield item
        finally:
            stop.set()
            while worker.is_alive():  # a full queue would hold the worker for ever
                try:
                    ready.get_nowait()
                except queue.Empty:
                    worker.join(0.01)

    def _gather_ahead(
        self, batches: list[np.ndarray], epoch: int, ready: queue.Queue, stop: threading.Event
    ) -> None:
        try:
            for rows in batches:
                if stop.is_set():
                    return
                batch = self.gather(rows.tolist())
                if self.augment is not None:
                    batch = self.augment(batch, self.plan.seed, epoch)
                ready.put(batch.pin_memory() if self.pin else batch)
            ready.put(None)
        except BaseException as error:  # raised again by the consumer, with its traceback
            ready.put(error)


def uses_pinned_memory() -> bool:
    """Return whether batches are page-locked: it pays on CUDA only."""
    return torch.cuda.is_available()

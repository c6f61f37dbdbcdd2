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
        common: windows per batch of all processes; None = `batch_size` of each.
    """

    rows: np.ndarray
    groups: np.ndarray
    batch_size: int
    shuffle: bool
    seed: int
    rank: int = 0
    world: int = 1
    common: int | None = None


def common_batches(plan: Plan, epoch: int) -> list[np.ndarray]:
    """Return the rows of every batch of an epoch, those of all processes together.

    Shuffled: the rows of each group are permuted and cut into common batches; an incomplete rest
    is left out unless the group has nothing else; then the batches are permuted. Where `common` is
    given, neither depends on the number of processes.

    Not shuffled: all rows in their order, each exactly once. A rest smaller than the world joins
    the batch before it, so that every process has as many batches.
    """
    # Counter-based: an epoch's order needs no history, so a resumed run computes the same one.
    generator = np.random.Generator(np.random.Philox(key=[plan.seed, epoch]))
    common = plan.common or plan.batch_size * plan.world
    if not plan.shuffle:
        common = max(common, plan.world)
    batches: list[np.ndarray] = []
    for group in np.unique(plan.groups):
        rows = plan.rows[plan.groups == group]
        if plan.shuffle:
            rows = generator.permutation(rows)
        cuts = [rows[i : i + common] for i in range(0, len(rows), common)]
        if plan.shuffle and len(cuts) > 1 and len(cuts[-1]) < common:
            cuts.pop()
        elif not plan.shuffle and len(cuts) > 1 and len(cuts[-1]) < plan.world:
            cuts[-2:] = [np.concatenate(cuts[-2:])]
        batches += cuts
    if plan.shuffle:
        batches = [batches[i] for i in generator.permutation(len(batches))]
    return batches


def shares(plan: Plan, batch: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the rows of a common batch for this process, and whether they are spare.

    Of a batch with fewer rows than processes some take part, when it is shuffled, with a row that
    another one counts; else they go without.
    """
    rows = batch[plan.rank :: plan.world]
    if len(rows) or not plan.shuffle:
        return rows, False
    place = plan.rank % len(batch)
    return batch[place : place + 1], True


def epoch_batches(plan: Plan, epoch: int) -> list[np.ndarray]:
    """Return the rows of every batch of an epoch, for this process; see `common_batches`."""
    parts = (shares(plan, batch)[0] for batch in common_batches(plan, epoch))
    return [part for part in parts if len(part)]


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
        batches = common_batches(self.plan, self.epoch)
        batches = [b for b in batches if len(shares(self.plan, b)[0])][self.position :]
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
            for common in batches:
                if stop.is_set():
                    return
                rows, spare = shares(self.plan, common)
                batch = self.gather(rows.tolist())
                batch.common, batch.spare = len(common), spare
                if self.augment is not None:
                    batch = self.augment(batch, self.plan.seed, epoch)
                ready.put(batch.pin_memory() if self.pin else batch)
            ready.put(None)
        except BaseException as error:  # raised again by the consumer, with its traceback
            ready.put(error)


def uses_pinned_memory() -> bool:
    """Return whether batches are page-locked: it pays on CUDA only."""
    return torch.cuda.is_available()

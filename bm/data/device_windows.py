"""Windows of a data set that lie on the device: a step gathers them there, and copies nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .batch import Batch

CHUNK = 256  # windows that are brought there at a time
ROOM = 0.8  # of the free memory that windows may take


class DeviceWindows:
    """All windows, scaled, with what a batch holds beside them; one block per layout and length.

    Args:
        gather: rows -> batch in the memory of the processor.
        groups: (N,) number of each row; rows of one number fit in one batch.
        device: where they go.

    Raises:
        UserError: they do not fit.
    """

    def __init__(
        self, gather: Callable[[Sequence[int]], Batch], groups: np.ndarray, device: torch.device
    ) -> None:
        self.device, self.groups = device, groups
        self.places = np.empty(len(groups), dtype=np.int64)
        self.blocks: dict[int, Batch] = {}
        members = {int(g): np.flatnonzero(groups == g) for g in np.unique(groups)}
        sizes = [len(rows) * _bytes(gather(rows[:1].tolist())) for rows in members.values()]
        check_room(len(groups), sum(sizes), device)
        for group, rows in members.items():
            self.places[rows] = np.arange(len(rows))
            parts = [gather(rows[i : i + CHUNK].tolist()) for i in range(0, len(rows), CHUNK)]
            self.blocks[group] = _joined([_laid(part.to(device)) for part in parts])

    def gather(self, rows: Sequence[int]) -> Batch:
        """Return some windows; only their numbers are copied to the device."""
        index = np.asarray(rows)
        block = self.blocks[int(self.groups[index[0]])]
        places = torch.from_numpy(self.places[index]).to(self.device, non_blocking=True)
        return _laid(block.mapped(lambda values: values.index_select(0, places)))


def _laid(batch: Batch) -> Batch:
    """Return a batch with its signal transposed: gathered windows are (T, C) in memory.

    The layout decides which kernels a network takes, and so the last bits of a result.
    """
    return dataclasses.replace(batch, signal=batch.signal.transpose(1, 2))


def _joined(parts: Sequence[Batch]) -> Batch:
    """Return batches as one."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(Batch):
        some = [getattr(part, item.name) for part in parts]
        if isinstance(some[0], Tensor):
            values[item.name] = torch.cat(some)
        elif isinstance(some[0], dict):
            values[item.name] = {name: torch.cat([s[name] for s in some]) for name in some[0]}
        else:
            values[item.name] = some[0]
    return Batch(**values)


def _bytes(batch: Batch) -> int:
    """Return the bytes of a batch of one window."""
    counts: list[int] = []

    def count(values: Tensor) -> Tensor:
        counts.append(values.numel() * values.element_size())
        return values

    batch.mapped(count)
    return sum(counts)


def check_room(windows: int, size: int, device: torch.device) -> None:
    """Raise `UserError` where `size` bytes of windows do not fit on a GPU."""
    if device.type != "cuda":
        return
    free, _ = torch.cuda.mem_get_info(device)
    if size > ROOM * free:
        raise UserError(
            f"dset.on_device=true: {windows} windows take {size / 1e9:.1f} GB, {free / 1e9:.1f} GB "
            "of the GPU are free; set dset.on_device=false, or name fewer subjects"
        )

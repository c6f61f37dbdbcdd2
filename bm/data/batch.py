"""Batch: the one record that travels from the loader to a solver."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class Batch:
    """Tensors of B windows.

    Attributes:
        signal: (B, C, T) float32, often a transposed view: contiguity is not promised: the
            transposition happens on the device, where it is cheap.
        positions: (B, C, 3) float32, metres; with dset.positions=layout x, y and 0 (see `layout`).
        channel_mask: (B, C) bool, true where the channel exists.
        channel_ids: (B, C) int64, row of `DataFacts.vocabulary`.
        subject, recording: (B,) int64.
        segment: (B,) int64, row of the segment table.
        label: (B,) int64 class, or (B, V) float32 values, when there are any.
        features: name -> (B, F, T').
        feature_mask: (B, T') bool.
        common: windows of the batch over all processes; 0 where nobody shares it.
        spare: another process counts these windows: here they keep the processes in step.
    """

    signal: Tensor
    positions: Tensor
    channel_mask: Tensor
    channel_ids: Tensor
    subject: Tensor
    recording: Tensor
    segment: Tensor
    label: Tensor | None = None
    features: dict[str, Tensor] = field(default_factory=dict)
    feature_mask: Tensor | None = None
    common: int = 0
    spare: bool = False

    def __len__(self) -> int:
        return len(self.signal)

    @property
    def weight(self) -> int:
        """Windows that this process counts: all of them, or none of a spare batch."""
        return 0 if self.spare else len(self)

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with a function of each of its tensors."""
        values: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                value = function(value)
            elif isinstance(value, dict):
                value = {name: function(tensor) for name, tensor in value.items()}
            values[item.name] = value
        return Batch(**values)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on `device`; the copy is asynchronous when pinned and `non_blocking`."""
        return self.mapped(lambda t: t.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory, for asynchronous copies to a GPU."""
        return self.mapped(lambda t: t.pin_memory())

    def __getitem__(self, index: slice | Tensor) -> Batch:
        """Return the windows selected by a slice or an index tensor."""
        return self.mapped(lambda t: t[index])

"""Randomness of evaluations: what is drawn for an item depends on the item alone."""

from __future__ import annotations

from collections.abc import Iterable

import torch


def item_generators(items: Iterable[int]) -> list[torch.Generator]:
    """Return a generator per item, seeded by its number.

    Two evaluations of an item see the same noise whatever batch, epoch, process or experiment it is
    in, so that their losses can be compared. The generators are those of the processor: devices
    draw different numbers from the same seed.
    """
    return [torch.Generator().manual_seed(int(item)) for item in items]

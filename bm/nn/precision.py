"""Leaving mixed precision where it would cost accuracy."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def without_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """Let operations on the device of `tensor` keep the types of their inputs in the block.

    The meta device, on which operations are counted, has no autocast.
    """
    kind = tensor.device.type
    return nullcontext() if kind == "meta" else torch.autocast(kind, enabled=False)

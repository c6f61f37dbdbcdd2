"""Agreement of reconstructions with their targets."""

from __future__ import annotations

import torch
from torch import Tensor


def correlation(target: Tensor, predicted: Tensor) -> Tensor:
    """Return the Pearson correlation of each item over all its values.

    Computed in float64: windows in microvolts with a large offset lose it in float32.

    An item that is constant on either side correlates with nothing: 0.

    Args:
        target, predicted: (B, ...).

    Returns:
        (B,) of the type of the targets.
    """
    one, other = (values.flatten(1).double() for values in (target, predicted))
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    scale = one.norm(dim=1) * other.norm(dim=1)
    values = (one * other).sum(1) / torch.where(scale > 0, scale, 1.0)
    return torch.where(scale > 0, values, 0.0).to(target.dtype)

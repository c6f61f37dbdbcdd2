"""How well something is reconstructed."""

from __future__ import annotations

import torch
from torch import Tensor


def correlation(target: Tensor, predicted: Tensor) -> Tensor:
    """Pearson correlation of each item over all its values: (B, ...) twice -> (B,).

    An item that is constant on either side correlates with nothing: 0.
    """
    one, other = (values.flatten(1).double() for values in (target, predicted))
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    scale = one.norm(dim=1) * other.norm(dim=1)
    found = (one * other).sum(1) / torch.where(scale > 0, scale, 1.0)
    return torch.where(scale > 0, found, 0.0).to(target.dtype)

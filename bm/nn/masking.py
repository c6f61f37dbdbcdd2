"""Random masks of tokens, with exactly the same number masked in every item."""

from __future__ import annotations

import torch
from torch import Tensor


def random_mask(noise: Tensor, ratio: float) -> Tensor:
    """Mask the positions with the largest noise.

    Args:
        noise: (B, L) uniform.
        ratio: share masked; int(L * (1 - ratio)) positions of each item stay visible.

    Returns:
        (B, L) bool, true = masked.
    """
    n_visible = int(noise.shape[1] * (1 - ratio))
    # stable, so that equal values of the noise give the same mask on every device
    ranks = noise.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
    return torch.ge(ranks, n_visible)

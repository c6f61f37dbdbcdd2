"""Losses of masked prediction of codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def masked_cross_entropy(
    logits: Tensor, codes: Tensor, mask: Tensor, symmetric: bool = True
) -> dict[str, Tensor]:
    """Compute the cross entropy of the codes where they were masked, and in the complement.

    Both are means over their own positions and count alike (LaBraM, equations 12 and 13).

    Args:
        logits: (B, L, K), each from the pass in which its position was masked.
        codes: (B, L) int64 targets.
        mask: (B, L) bool, true = masked in the first pass.
        symmetric: False leaves the complement out.

    Returns:
        `loss`; `loss_masked`, `accuracy_masked` and the same with `_complement`.
    """
    entropy = functional.cross_entropy(
        logits.flatten(0, 1).float(), codes.flatten(), reduction="none"
    ).view(codes.shape)
    hits = (logits.detach().argmax(-1) == codes).float()
    halves = {"masked": mask, "complement": ~mask} if symmetric else {"masked": mask}
    values: dict[str, Tensor] = {}
    for name, half in halves.items():
        # a weighted sum, not an index by the mask: its size would be read back from the GPU
        share = half.float() / half.sum().clamp(min=1)
        values[f"loss_{name}"] = (entropy * share).sum()
        values[f"accuracy_{name}"] = (hits * share).sum()
    losses = [values[f"loss_{name}"] for name in halves]
    return {"loss": torch.stack(losses).sum(), **values}


def masked_errors(errors: Tensor, mask: Tensor, symmetric: bool = True) -> dict[str, Tensor]:
    """Average errors (B, L) where they were masked, and in the complement; `loss` is the sum."""
    halves = {"masked": mask, "complement": ~mask} if symmetric else {"masked": mask}
    means = {
        f"loss_{name}": (errors * (half.float() / half.sum().clamp(min=1))).sum()
        for name, half in halves.items()
    }
    return {"loss": torch.stack(list(means.values())).sum(), **means}

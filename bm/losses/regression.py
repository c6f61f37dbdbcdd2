"""Losses of sequences over the positions that count (spec clip 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..nn.feature_parts import FeaturePart


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of values (B, C, T) where mask (B, 1, T) is true; 0 where nothing is."""
    if mask is None:
        return values.mean()
    counted = mask.expand_as(values)
    # not a product: what does not count may be nan
    total = torch.where(counted, values, values.new_zeros(())).sum()
    return total / counted.sum().clamp_min(1)


def absolute_error(estimate: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean |e - y| of (B, C, T) over masked positions (B, 1, T)."""
    return masked_mean((estimate - target).abs(), mask)


def squared_error(estimate: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean (e - y)^2 of (B, C, T) over masked positions (B, 1, T)."""
    return masked_mean((estimate - target).square(), mask)


def feature_loss(
    estimate: Tensor,
    target: Tensor,
    mask: Tensor | None,
    parts: Sequence[FeaturePart],
    class_weights: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Sum over features of the squared error, or of the cross entropy of categorical ones.

    Args:
        estimate: (B, F', T), scores per class for categorical features.
        target: (B, F, T), class indices for categorical features.
        mask: (B, 1, T) bool, or None.
        parts: where each feature stands in both.
        class_weights: name -> (classes,); the mean is divided by the sum of the weights of the
            targets.
    """
    total = estimate.new_zeros(())
    for part in parts:
        found, wanted = estimate[:, part.estimate], target[:, part.target]
        if not part.categorical:
            total = total + squared_error(found, wanted, mask)
            continue
        labels = wanted[:, 0].long()
        weight = (class_weights or {}).get(part.name)
        weight = None if weight is None else weight.to(found)
        each = functional.cross_entropy(found, labels, weight, reduction="none")
        counted = torch.ones_like(each) if weight is None else weight[labels]
        if mask is not None:
            counted, each = counted * mask[:, 0], torch.where(mask[:, 0], each, 0.0)
        total = total + each.sum() / counted.sum().clamp_min(torch.finfo(each.dtype).tiny)
    return total

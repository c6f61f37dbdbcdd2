"""Losses of sequences over the positions that a mask selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..nn.feature_parts import FeaturePart


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Average values (B, C, T) where mask (B, 1, T) is true; 0 where it is nowhere."""
    if mask is None:
        return values.mean()
    counted = mask.expand_as(values)
    # not a product: values outside the mask may be nan
    total = torch.where(counted, values, values.new_zeros(())).sum()
    return total / counted.sum().clamp_min(1)


def absolute_error(estimate: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean |e - y| of (B, C, T) over masked positions (B, 1, T)."""
    return masked_mean((estimate - target).abs(), mask)


def squared_error(estimate: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean (e - y)^2 of (B, C, T) over masked positions (B, 1, T)."""
    return masked_mean((estimate - target).square(), mask)


def feature_loss(
    estimate: Tensor,
    target: Tensor,
    mask: Tensor | None,
    parts: Sequence[FeaturePart],
    class_weights: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Sum the squared error of each feature, or the cross entropy of a categorical one.

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
        outputs, truth = estimate[:, part.estimate], target[:, part.target]
        if not part.categorical:
            total = total + squared_error(outputs, truth, mask)
            continue
        labels = truth[:, 0].long()
        weight = (class_weights or {}).get(part.name)
        weight = None if weight is None else weight.to(outputs)
        each = functional.cross_entropy(outputs, labels, weight, reduction="none")
        counted = torch.ones_like(each) if weight is None else weight[labels]
        if mask is not None:
            counted, each = counted * mask[:, 0], torch.where(mask[:, 0], each, 0.0)
        # divided by the weights of the targets that count, as torch's mean does
        total = total + each.sum() / counted.sum().clamp_min(torch.finfo(each.dtype).tiny)
    return total

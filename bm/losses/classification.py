"""Losses of classification, averaged over items."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean binary cross entropy of logits (N,) against targets (N,) of 0 and 1."""
    return functional.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross entropy of logits (N, K) against classes (N,), with label smoothing.

    The smoothed target is (1 - s) on the class plus s / K everywhere (Szegedy et al., 2016).
    """
    # torch spreads s over all K classes, the right one included, as the paper does
    return functional.cross_entropy(logits, targets, label_smoothing=smoothing)

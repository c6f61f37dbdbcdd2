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


def sigmoid_cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy that takes the sigmoids of logits (N, K) for logits.

    Du-IN's published word classifier and most of its baselines were trained so (Zheng et al.,
    2024). Scores lie between 0 and 1, so the smallest reachable value is ln(1 + (K - 1) / e): 3.14
    for 61 words.
    """
    return cross_entropy(logits.sigmoid(), targets, smoothing)


def sigmoid_probabilities(logits: Tensor) -> Tensor:
    """Sigmoids of logits (..., K) divided by their sum over classes, as Du-IN reports them."""
    scores = logits.sigmoid()
    return scores / scores.sum(-1, keepdim=True)

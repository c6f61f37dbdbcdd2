"""Which windows take part in a step: those within an amplitude, and those that hold a word."""

from __future__ import annotations

from torch import Tensor


def accepted_windows(signal: Tensor, limit: float, mask: Tensor | None = None) -> Tensor:
    """Return (B,) bool: scaled windows (B, C, T) within ± `limit`, mask (B, 1, T) not empty."""
    within = signal.abs().flatten(1).amax(1) <= limit
    return within if mask is None else within & mask.bool().flatten(1).any(1)

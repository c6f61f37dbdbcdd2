"""Positions of sensors on the flat head, 0 to 1 along both axes: validity and Fourier features.

Défossez et al. (2023), section 2.3 (spatial attention).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Both coordinates of a channel whose place is unknown, or that only fills up a batch.
INVALID = -0.1
MARGIN = 0.2  # of the square around the head, so that its two edges have different phases


def flat_places(positions: Tensor) -> Tensor:
    """Return (..., C, 2) of positions (..., C, >= 2): x and y, or `INVALID` twice where unknown."""
    places = positions[..., :2]
    return torch.where(places.isfinite().all(-1, keepdim=True), places, INVALID)


def is_invalid(places: Tensor) -> Tensor:
    """Return (..., C) bool for places (..., C, 2): true for channels without one."""
    return (places == INVALID).all(-1)


def is_near(places: Tensor, centres: Tensor, radius: float) -> Tensor:
    """Return (..., N, C) bool: channels at (..., C, 2) at most `radius` from centres (N, 2)."""
    offsets = places[..., None, :, :] - centres[:, None]
    return offsets.norm(dim=-1) <= radius


def fourier_side(dimension: int) -> int:
    """Return the frequencies n per axis of `dimension` = 2 n^2 features.

    Raises:
        ValueError: the dimension is not twice a square.
    """
    # the original rounds the root, so that its own default, 256, fails later on shapes
    side = math.isqrt(max(dimension, 0) // 2)
    if side < 1 or 2 * side * side != dimension:
        below, above = 2 * max(side, 1) ** 2, 2 * (max(side, 1) + 1) ** 2
        raise ValueError(
            f"{dimension} Fourier features: not twice a square; nearest are {below} and {above}"
        )
    return side


def fourier_features(places: Tensor, dimension: int, margin: float = MARGIN) -> Tensor:
    """Return cosines, then sines, of 2 pi (i x + j y) / (1 + 2 margin), both shifted by it.

    Args:
        places: (..., 2) x and y.
        dimension: D = 2 n^2; i (slow) and j run from 0 to n - 1.

    Returns:
        (..., D).
    """
    side = fourier_side(dimension)
    frequency = torch.arange(side, device=places.device, dtype=places.dtype)
    frequency = 2 * math.pi / (1 + 2 * margin) * frequency
    x, y = ((places[..., axis, None] + margin) * frequency for axis in (0, 1))
    phase = (x[..., :, None] + y[..., None, :]).flatten(-2)
    return torch.cat([phase.cos(), phase.sin()], -1)

"""Leaving sensors out: those near a random place while training, or a fixed part of them."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from .positions import flat_places, is_invalid, is_near

DRAWS = 100  # centres that estimate how often a sensor is kept
SHUFFLE_SEED = 1234  # of the published subset of channels


class ChannelDropout(nn.Module):
    """Zero the sensors near a random centre; those without a place always (spec clip 3.1).

    Args:
        radius: in units of the layout; 0 = the signal as it is.
        rescale: divide each sensor by how often it is kept, estimated anew in each call.
    """

    def __init__(self, radius: float, rescale: bool = True) -> None:
        super().__init__()
        self.radius, self.rescale = radius, rescale

    def draw_centres(self, like: Tensor) -> Tensor:
        """(1 + DRAWS, 2) uniform on the unit square: the centre, then those of the estimate."""
        return torch.rand(1 + DRAWS, 2, device=like.device, dtype=like.dtype)

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """(B, C, T), (B, C, >= 2) -> (B, C, T)."""
        if not self.radius:
            return signal
        places = flat_places(positions)
        factor = (~is_invalid(places)).to(signal.dtype)
        if self.training:
            centres = self.draw_centres(places)
            factor = factor * ~is_near(places, centres[:1], self.radius)[..., 0, :]
            if self.rescale:
                near = is_near(places, centres[1:], self.radius)
                factor = factor / (1e-8 + (~near).to(signal.dtype).mean(-2))
        return signal * factor[..., None]


class ChannelSubset(nn.Module):
    """Keep `kept` of C channels, always the same ones, and zero the others.

    The kept ones are the first of the indices shuffled by the standard library's generator.
    """

    def __init__(self, channels: int, kept: int, seed: int = SHUFFLE_SEED) -> None:
        super().__init__()
        order = list(range(channels))
        random.Random(seed).shuffle(order)
        mask = torch.zeros(channels, 1)
        mask[order[:kept]] = 1.0
        self.mask: Tensor
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, signal: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        return signal * self.mask.to(signal.dtype)

"""Channel dropout: sensors near a random place while training, or a fixed subset of them."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

from .positions import flat_places, is_invalid, is_near
from .shared_draws import once_a_batch

#: Centres that estimate how often a sensor stays, as many as in brainmagick: sensors near the
#: border of the square are hit less often than those in the middle.
DRAWS = 100
SHUFFLE_SEED = 1234  # of the published subset of channels


class ChannelDropout(nn.Module):
    """Sensors near a random centre zeroed in training, those without a place always.

    The spatial dropout of Défossez et al. (2023), section 2.3.

    Args:
        radius: in units of the layout; 0 = the signal as it is.
        rescale: divide each sensor by how often it stays, estimated anew in each call.
    """

    def __init__(self, radius: float, rescale: bool = True) -> None:
        super().__init__()
        self.radius, self.rescale = radius, rescale

    def draw_centres(self, like: Tensor) -> Tensor:
        """Draw (1 + DRAWS, 2) centres on the unit square: the one used, and those to estimate."""
        with once_a_batch():
            return torch.rand(1 + DRAWS, 2, device=like.device, dtype=like.dtype)

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Return the signal (B, C, T), given positions (B, C, >= 2), with sensors zeroed."""
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
    """A fixed subset of `size` of C channels; the others are zeroed.

    The subset is the first of the indices shuffled by the standard library's generator.
    """

    def __init__(self, channels: int, size: int, seed: int = SHUFFLE_SEED) -> None:
        super().__init__()
        order = list(range(channels))
        # not torch's generator: the published subset comes from this one
        random.Random(seed).shuffle(order)
        mask = torch.zeros(channels, 1)
        mask[order[:size]] = 1.0
        self.mask: Tensor
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the signal (B, C, T) with the channels outside the subset zeroed."""
        return signal * self.mask.to(signal.dtype)

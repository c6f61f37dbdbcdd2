"""Sines and cosines of positions, and the table of them that is added to tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BASE = 10000.0  # longest wavelength over 2 pi (Vaswani et al., 2017, section 3.5)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Encode positions (...) as (..., width): sin(p f_k) in even columns, cos(p f_k) in odd ones.

    f_k = 10000^(-2k / width) for column pair k. Positions are in any unit and may be negative.

    Raises:
        ValueError: an odd width.
    """
    if width % 2:
        raise ValueError(f"width {width}: sines and cosines come in pairs, it must be even")
    pairs = torch.arange(0, width, 2, device=positions.device, dtype=torch.float32)
    phases = positions.float()[..., None] * torch.exp(pairs * (-math.log(BASE) / width))
    return torch.stack([phases.sin(), phases.cos()], -1).flatten(-2)


class TimeTable(nn.Module):
    """A fixed encoding of the place in the window, added to tokens.

    Args:
        length: most tokens of a window.
        width: D, even.
    """

    table: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(torch.arange(length), width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Add the first L rows to tokens (B, L, D).

        Raises:
            ValueError: more tokens than rows.
        """
        if tokens.shape[1] > len(self.table):
            raise ValueError(
                f"{tokens.shape[1]} tokens: the time table has {len(self.table)} rows; build the "
                "model for the longest window"
            )
        return tokens + self.table[: tokens.shape[1]].to(tokens.dtype)

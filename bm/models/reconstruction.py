"""Reconstruction: the prediction of a tokenizer from its codes beside the target."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Reconstruction:
    """One quantity that a tokenizer rebuilds, of B windows.

    Attributes:
        name: of the quantity (amplitude, phase, signal).
        target, predicted: (B, N, F): N patches or channels, F bins or samples.
        axis: what the F entries count, for figures.
        shown: number of entries, from the first on, that figures draw.
        by_channel: the N entries are all patches of the first channel, of the second, and so on.
    """

    name: str
    target: Tensor
    predicted: Tensor
    axis: str
    shown: int
    by_channel: bool = False

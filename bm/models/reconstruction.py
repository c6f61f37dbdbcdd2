"""Reconstruction: what a tokenizer predicts from its codes beside what it should have been."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Reconstruction:
    """One thing that is reconstructed, of B windows.

    Attributes:
        name: of it (amplitude, phase, signal).
        target, predicted: (B, N, F): N patches or channels, F bins or samples.
        axis: what the F entries count, for figures.
        shown: so many of them, from the first on, are worth drawing.
        by_channel: the N entries are all patches of the first channel, of the second, and so on.
    """

    name: str
    target: Tensor
    predicted: Tensor
    axis: str
    shown: int
    by_channel: bool = False

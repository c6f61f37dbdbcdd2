"""Heads of classifiers: linear layers on whole windows or on each token."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from .post_norm import start_linear


class LinearHead(nn.Module):
    """Hidden linear layers, dropout, linear: (..., width) -> logits (..., outer).

    Args:
        width: of the input.
        outer: classes or values.
        hidden: widths of the hidden layers; empty = none.
        rectified: ReLU after each hidden layer; several published baselines have nothing there.
        dropout: before the last layer.
    """

    def __init__(
        self,
        width: int,
        outer: int,
        hidden: Sequence[int] = (),
        rectified: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = (width, *hidden)
        self.hidden = nn.ModuleList(itertools.starmap(nn.Linear, itertools.pairwise(widths)))
        self.activation = nn.ReLU() if rectified else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], outer)
        start_linear(self)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., outer)."""
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.output(self.dropout(x))

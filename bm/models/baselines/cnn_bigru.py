"""CNN-BiGRU: a strided convolution and recurrent layers both ways (baseline of Du-IN, 2024)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from ...nn.heads import LinearHead
from ...nn.padding import PaddedConv1d
from .. import MODELS


@MODELS.register("cnn_bigru")
class CNNBiGRU(nn.Module):
    """Convolutions, batch norm, GRU; the last time step of both directions is classified.

    Published for words in sEEG at 30 Hz (dset.rate_hz=30), with the loss `sigmoid_ce`.

    Args:
        n_channels: C.
        n_outputs: classes.
        filters, kernels, strides: of the convolutions, which have no activation.
        n_layers: of the GRU, as wide as the last filters.
        dropout: between the layers of the GRU.
        bidirectional: both directions.
        hidden: widths of the head's hidden layers, without activation.
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int,
        filters: Sequence[int] = (128,),
        kernels: Sequence[int] = (5,),
        strides: Sequence[int] = (3,),
        n_layers: int = 2,
        dropout: float = 0.2,
        bidirectional: bool = True,
        hidden: Sequence[int] = (128,),
    ) -> None:
        super().__init__()
        pairs = itertools.pairwise((n_channels, *filters))
        self.convolutions = nn.Sequential(
            *(
                PaddedConv1d(a, b, k, s)
                for (a, b), k, s in zip(pairs, kernels, strides, strict=True)
            )
        )
        width = filters[-1]
        self.norm = nn.BatchNorm1d(width)
        self.recurrent = nn.GRU(
            width, width, n_layers, batch_first=True, dropout=dropout, bidirectional=bidirectional
        )
        self.head = LinearHead(width * (1 + bidirectional), n_outputs, hidden, rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 -> logits (B, n_outputs)."""
        steps = self.norm(self.convolutions(x)).transpose(1, 2)
        return self.head(self.recurrent(steps)[0][:, -1])

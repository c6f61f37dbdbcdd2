"""EEG-Conformer in the form of Du-IN's comparison: q/k norms, a fixed time table, wide heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ...nn.heads import LinearHead
from ...nn.post_norm import PostNormBlocks, PostNormOptions
from ...nn.sinusoids import TimeTable
from .. import MODELS
from ..sections import section_of


@MODELS.register("seeg_conformer")
class SeegConformer(nn.Module):
    """Temporal and spatial filters, mean over time, transformer (Zheng et al., 2024, baselines).

    Published for words in sEEG at 250 Hz (dset.rate_hz=250), with the loss `sigmoid_ce`. The EEG
    form of Song et al. (2023) is `conformer`.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        n_outputs: classes.
        filters: temporal and spatial filters, and width of the tokens.
        kernel: samples of the temporal filters.
        pool, stride: samples of the mean over time, and between two of them; zeros at both ends
            count.
        dropout: behind the mean.
        blocks: `PostNormOptions`.
        hidden: widths of the head's hidden layers, without activation.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        filters: int = 128,
        kernel: int = 25,
        pool: int = 75,
        stride: int = 15,
        dropout: float = 0.0,
        blocks: Mapping[str, Any] | None = None,
        hidden: Sequence[int] = (128,),
    ) -> None:
        super().__init__()
        self.temporal = nn.Conv2d(1, filters, (1, kernel), padding="same")
        self.spatial = nn.Conv2d(filters, filters, (n_channels, 1))
        self.norm = nn.BatchNorm2d(filters)
        half = (pool - 1) // 2
        self.pool = nn.Sequential(
            nn.ELU(), nn.AvgPool2d((1, pool), (1, stride), (0, half)), nn.Dropout(dropout)
        )
        self.mix = nn.Conv2d(filters, filters, 1)
        n_tokens = (n_times + 2 * half - pool) // stride + 1
        self.time = TimeTable(n_tokens, filters)
        self.blocks = PostNormBlocks(filters, section_of(PostNormOptions, blocks, "blocks"))
        self.head = LinearHead(filters * n_tokens, n_outputs, hidden, rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 -> logits (B, n_outputs)."""
        filtered = self.norm(self.spatial(self.temporal(x.contiguous().unsqueeze(1))))
        tokens = self.mix(self.pool(filtered)).squeeze(2).transpose(1, 2)
        return self.head(self.blocks(self.time(tokens)).flatten(1))

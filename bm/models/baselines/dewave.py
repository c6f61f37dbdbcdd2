"""DeWave's encoder: Conformer stages with poolings between them, then a transformer.

Duan et al. (NeurIPS 2023), with the sizes of Du-IN's comparison (2024), whose code has five stages
where its article says six layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ...nn.heads import LinearHead
from ...nn.post_norm import PostNormBlocks, PostNormOptions
from ...nn.relative_attention import RelativeAttention
from ...nn.sinusoids import TimeTable
from .. import MODELS
from ..sections import section_of

N_HEADS = 8  # of every stage
EXPANSION = 4  # of the feed-forward layers


class SwishForward(nn.Module):
    """Layer norm, linear, Swish, linear; half of it is added."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, EXPANSION * width)
        self.fc2 = nn.Linear(EXPANSION * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> the same shape."""
        hidden = self.dropout(functional.silu(self.fc1(self.norm(x))))
        # Half steps on both sides of the attention (macaron, Gulati et al. 2020).
        return x + 0.5 * self.dropout(self.fc2(hidden))


class GatedConvolution(nn.Module):
    """Layer norm, gated pointwise convolution, depthwise, batch norm, Swish, pointwise; added."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(
            width, width, kernel, padding=(kernel - 1) // 2, groups=width, bias=False
        )
        self.batch_norm = nn.BatchNorm1d(width)
        self.project = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> the same shape."""
        gated = functional.glu(self.expand(self.norm(x).transpose(1, 2)), 1)
        filtered = functional.silu(self.batch_norm(self.depthwise(gated)))
        return x + self.dropout(self.project(filtered)).transpose(1, 2)


class ConformerStage(nn.Module):
    """Linear, half feed-forward, attention, convolution, half feed-forward, norm, max-pool.

    Args:
        inner, width: values of a step before and after.
        kernel: of the depthwise convolution.
        pool: steps of the max-pool, and between two of them.
        dropout: of all parts.
        extras: also hold the 2-D subsampling of published files, which nothing uses.
    """

    def __init__(
        self, inner: int, width: int, kernel: int, pool: int, dropout: float, extras: bool
    ) -> None:
        super().__init__()
        self.input = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)
        self.before = SwishForward(width, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = RelativeAttention(width, N_HEADS, dropout)
        self.convolution = GatedConvolution(width, kernel, dropout)
        self.after = SwishForward(width, dropout)
        self.norm = nn.LayerNorm(width)
        self.pool = nn.MaxPool1d(pool)
        if extras:
            self.subsample = nn.ModuleList(
                [nn.Conv2d(1, width, 3, 2), nn.Conv2d(width, width, 3, 2)]
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, inner) -> (B, L / pool, width)."""
        x = self.before(self.dropout(self.input(x)))
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        x = self.norm(self.after(self.convolution(x)))
        return self.pool(x.transpose(1, 2)).transpose(1, 2)


@MODELS.register("dewave")
class DeWave(nn.Module):
    """Classifier, published for words in sEEG at 500 Hz with the loss `sigmoid_ce`.

    The first stage attends between all samples: at 500 Hz a window of 3 s needs 72 MB per item for
    one set of scores.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        n_outputs: classes.
        filters: width of each stage.
        kernels: of the depthwise convolutions.
        pools: steps of the max-pools.
        stage_dropout: in the stages.
        blocks: `PostNormOptions` of the transformer behind them.
        hidden: widths of the head's hidden layers, without activation.
        extras: see `ConformerStage`.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        filters: Sequence[int] = (128, 128, 128, 128, 128),
        kernels: Sequence[int] = (9, 3, 3, 3, 3),
        pools: Sequence[int] = (3, 2, 2, 2, 2),
        stage_dropout: float = 0.1,
        blocks: Mapping[str, Any] | None = None,
        hidden: Sequence[int] = (128,),
        extras: bool = False,
    ) -> None:
        super().__init__()
        stages, inner, length = list[nn.Module](), n_channels, n_times
        for width, kernel, pool in zip(filters, kernels, pools, strict=True):
            stages.append(ConformerStage(inner, width, kernel, pool, stage_dropout, extras))
            inner, length = width, length // pool
        self.stages = nn.Sequential(*stages)
        self.time = TimeTable(length, inner)
        self.blocks = PostNormBlocks(inner, section_of(PostNormOptions, blocks, "blocks"))
        self.head = LinearHead(inner * length, n_outputs, hidden, rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 -> logits (B, n_outputs)."""
        tokens = self.stages(x.transpose(1, 2))
        return self.head(self.blocks(self.time(tokens)).flatten(1))

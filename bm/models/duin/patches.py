"""Du-IN's patch tokenizer: convolutions within each patch, so no token sees another's samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from ...errors import UserError
from ...nn.padding import PaddedConv1d


@dataclass(frozen=True)
class PatchOptions:
    """The convolutions of a patch; lists have one entry per block.

    Attributes:
        samples: W of a patch, 100 ms as published.
        filters, kernels, strides, dilations: of the convolutions.
        batch_norm: after the convolution.
        residual: add the input of a block to its output; shapes must agree.
        pools: samples whose mean is taken after the block; 1 = none.
    """

    samples: int = 100
    filters: tuple[int, ...] = (128, 128, 16)
    kernels: tuple[int, ...] = (19, 3, 3)
    strides: tuple[int, ...] = (10, 1, 1)
    dilations: tuple[int, ...] = (1, 1, 1)
    batch_norm: tuple[bool, ...] = (True, True, True)
    residual: tuple[bool, ...] = (False, False, False)
    pools: tuple[int, ...] = (1, 1, 1)

    def __post_init__(self) -> None:
        lists = ("filters", "kernels", "strides", "dilations", "batch_norm", "residual", "pools")
        lengths = {name: len(getattr(self, name)) for name in lists}
        if len(set(lengths.values())) > 1 or not self.filters:
            raise ValueError(f"filters: every list needs one entry per block, not {lengths}")
        if self.samples % self.shortening:
            raise ValueError(
                f"samples={self.samples}: strides {list(self.strides)} and pools "
                f"{list(self.pools)} shorten by {self.shortening}, which must divide it"
            )
        if self.width % 2:
            raise ValueError(
                f"filters={list(self.filters)}: the last {self.filters[-1]} in {self.frames} "
                f"frames make tokens of {self.width} values, which must be an even number"
            )

    @property
    def shortening(self) -> int:
        """Samples of the signal per frame of the last block."""
        return math.prod(self.strides) * math.prod(self.pools)

    @property
    def frames(self) -> int:
        """Frames of a patch after the last block."""
        return self.samples // self.shortening

    @property
    def width(self) -> int:
        """D of a token."""
        return self.filters[-1] * self.frames

    def blocks(self, inner: int) -> Iterator[PatchBlock]:
        """Build the blocks, the first for `inner` channels."""
        for i, outer in enumerate(self.filters):
            yield PatchBlock(inner, outer, self, i)
            inner = outer


class PatchBlock(nn.Module):
    """Convolution over time, batch norm; without an activation, as published.

    Args:
        inner, outer: filters before and after.
        o: options of the tokenizer.
        index: of the block.

    Raises:
        UserError: a residual between unlike shapes.
    """

    def __init__(self, inner: int, outer: int, o: PatchOptions, index: int) -> None:
        super().__init__()
        kernel, stride, dilation = o.kernels[index], o.strides[index], o.dilations[index]
        self.residual = o.residual[index]
        if self.residual and (inner != outer or stride != 1):
            raise UserError(
                f"model.patches.residual: block {index} maps {inner} filters to {outer} with "
                f"stride {stride}; a residual needs equal filters and stride 1"
            )
        self.conv = PaddedConv1d(inner, outer, kernel, stride, dilation)
        self.norm = nn.BatchNorm1d(outer) if o.batch_norm[index] else nn.Identity()
        self.pool = nn.AvgPool1d(o.pools[index]) if o.pools[index] > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inner, T) -> (N, outer, T')."""
        y = self.norm(self.conv(x))
        return self.pool(x + y if self.residual else y)


class PatchTokenizer(nn.Module):
    """Cuts signals into patches and makes one token of each.

    Args:
        inner: channels of its input.
        o: options.
    """

    def __init__(self, inner: int, o: PatchOptions) -> None:
        super().__init__()
        self.samples, self.inner = o.samples, inner
        self.blocks = nn.Sequential(*o.blocks(inner))

    def forward(self, x: Tensor) -> Tensor:
        """Signals (B, inner, L * W) -> tokens (B, L, D), value = frame * filters + filter."""
        # Patches become items of the batch: padding is by zeros, never by a neighbour's samples.
        patches = x.unflatten(-1, (-1, self.samples)).transpose(1, 2)  # (B, L, inner, W)
        frames = self.blocks(patches.flatten(0, 1))
        return frames.transpose(1, 2).flatten(1).unflatten(0, (len(x), -1))

    def contribution(self) -> Tensor:
        """Mean absolute weight of each input in the first convolution, (inner,)."""
        first = self.blocks[0]
        assert isinstance(first, PatchBlock)
        return first.conv.weight.abs().mean((0, 2))

"""Tokens back to samples by transposed convolutions, as in Du-IN and Neuro-BERT."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from .post_norm import start_linear


@dataclass(frozen=True)
class RegressionOptions:
    """Transposed convolutions over the token axis, then linear layers.

    Attributes:
        filters, kernels, strides: of each convolution; the product of the strides is the number of
            samples of a token.
        hidden: widths of linear layers (with GELU and layer norm) before the last.
    """

    filters: tuple[int, ...] = (128, 128, 128, 128, 16)
    kernels: tuple[int, ...] = (3, 3, 10, 9, 19)
    strides: tuple[int, ...] = (1, 1, 10, 1, 10)
    hidden: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.filters) == len(self.kernels) == len(self.strides) > 0:
            raise ValueError(
                f"filters={list(self.filters)}, kernels={list(self.kernels)}, "
                f"strides={list(self.strides)}: one entry per convolution in each"
            )


def lengthening(inner: int, outer: int, kernel: int, stride: int) -> nn.ConvTranspose1d:
    """Build a transposed convolution that makes exactly L * stride samples of L."""
    excess = kernel - stride
    padding = max(0, math.ceil(excess / 2))
    return nn.ConvTranspose1d(inner, outer, kernel, stride, padding, 2 * padding - excess)


class RegressionHead(nn.Module):
    """Transposed convolutions without activations or norms, then linear.

    Args:
        width: D of the tokens.
        outer: values of a sample.
        o: options of the layers.
        split: each token is first cut into so many of width D / split (the patch head of the
            multi-subject model).

    Raises:
        ValueError: a width that cannot be split so.
    """

    def __init__(self, width: int, outer: int, o: RegressionOptions, split: int = 1) -> None:
        super().__init__()
        if width % split:
            raise ValueError(f"tokens of {width} values cannot be cut into {split} parts")
        self.split = split
        widths = (width // split, *o.filters)
        self.convolutions = nn.Sequential(
            *itertools.starmap(
                lengthening,
                zip(widths[:-1], widths[1:], o.kernels, o.strides, strict=True),
            )
        )
        linear = (o.filters[-1], *o.hidden)
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.GELU(), nn.LayerNorm(b))
            for a, b in itertools.pairwise(linear)
        )
        self.output = nn.Linear(linear[-1], outer)
        start_linear(self)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, L, D) -> samples (B, outer, L * split * product of the strides)."""
        parts = tokens.unflatten(-1, (self.split, -1)).flatten(1, 2)
        samples = self.convolutions(parts.transpose(1, 2))
        if not len(self.hidden):  # as a convolution of width 1: no transposition of 4000 samples
            weight = self.output.weight.unsqueeze(-1)
            return functional.conv1d(samples, weight, self.output.bias)
        samples = samples.transpose(1, 2)
        for layer in self.hidden:
            samples = layer(samples)
        return self.output(samples).transpose(1, 2)

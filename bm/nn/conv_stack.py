"""ConvStack: dilated convolutions with residuals and gates (Défossez et al., 2023)."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StackOptions:
    """Options of the layers of a `ConvStack`.

    Attributes:
        kernel_size, stride: of every convolution.
        dilation_growth: the dilation is multiplied by it after each layer...
        dilation_period: ...and is 1 again at each multiple of it; None = never.
        groups: of the convolutions after the first.
        batch_norm: after each convolution.
        activation: gelu | relu.
        leak: slope below zero of relu, and of what follows `rewrite`.
        dropout, input_dropout: after the activations; before the first convolution.
        rewrite: a 1x1 convolution and its own activation.
        skip: add the input of a layer to its output where shapes agree.
        layer_scale: start of a learned factor per channel in such layers; None = none.
        post_skip: a factor per channel, without bias, in such layers.
        glu: a gate after every so many layers; 0 = none.
        glu_context: samples to each side that it sees.
        glu_gate: false: a convolution and the activation instead of the gate.
    """

    kernel_size: int = 5
    stride: int = 1
    dilation_growth: int = 2
    dilation_period: int | None = None
    groups: int = 1
    batch_norm: bool = False
    activation: str = "relu"
    leak: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    rewrite: bool = False
    skip: bool = False
    layer_scale: float | None = None
    post_skip: bool = False
    glu: int = 0
    glu_context: int = 0
    glu_gate: bool = True

    def __post_init__(self) -> None:
        if self.activation not in ("gelu", "relu"):
            raise ValueError(f"activation {self.activation!r}: gelu or relu")
        if self.dilation_growth > 1 and not self.kernel_size % 2:
            raise ValueError(f"kernel_size {self.kernel_size}: dilation needs an odd one")
        if self.layer_scale is not None and not self.skip:
            raise ValueError("layer_scale: only residuals are scaled, and skip is false")

    def dilation(self, layer: int) -> int:
        """Return the dilation of a layer, counted from 0."""
        return self.dilation_growth ** (
            layer % self.dilation_period if self.dilation_period else layer
        )


def activation(options: StackOptions) -> nn.Module:
    """Build the nonlinearity of the stack."""
    return nn.GELU() if options.activation == "gelu" else nn.LeakyReLU(options.leak)


class LayerScale(nn.Module):
    """A learned factor per channel near `start`, five times faster to learn than others."""

    #: The parameter is the factor over 5, so that a step of Adam, which has the size of the rate,
    #: moves the factor five times as far.
    BOOST = 5.0

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), start / self.BOOST))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, T) with its channels scaled."""
        return self.BOOST * self.scale[:, None] * x


def convolution(
    layer: int, inner: int, outer: int, options: StackOptions, transposed: bool
) -> nn.Module:
    """Build the convolution of a layer, padded to keep the length at stride 1 and odd kernels."""
    dilation = options.dilation(layer)
    kind = nn.ConvTranspose1d if transposed else nn.Conv1d
    return kind(
        inner,
        outer,
        options.kernel_size,
        options.stride,
        options.kernel_size // 2 * dilation,
        dilation=dilation,
        # the first layer takes any number of channels, which the groups need not divide
        groups=options.groups if layer else 1,
    )


def nonlinear(outer: int, options: StackOptions) -> OrderedDict[str, nn.Module]:
    """Build norm, activation, dropout and rewrite, those that the options ask for."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if options.batch_norm:
        parts["norm"] = nn.BatchNorm1d(outer)
    parts["activation"] = activation(options)
    if options.dropout:
        parts["dropout"] = nn.Dropout(options.dropout)
    if options.rewrite:
        parts["rewrite"] = nn.Conv1d(outer, outer, 1)
        parts["rewrite_activation"] = nn.LeakyReLU(options.leak)
    return parts


def layer_of(conv: nn.Module, layer: int, options: StackOptions, is_bare: bool) -> nn.Sequential:
    """Build one layer around its convolution, the parts in the order in which they act."""
    inner, outer = int(conv.in_channels), int(conv.out_channels)  # type: ignore[arg-type]
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    if layer == 0 and options.input_dropout:
        parts["input_dropout"] = nn.Dropout(options.input_dropout)
    parts["conv"] = conv
    if not is_bare:
        parts |= nonlinear(outer, options)
    # both act on the residual branch, so only where the layer has one
    if options.skip and inner == outer:
        if options.layer_scale is not None:
            parts["scale"] = LayerScale(outer, options.layer_scale)
        if options.post_skip:
            parts["post_skip"] = nn.Conv1d(outer, outer, 1, groups=outer, bias=False)
    return nn.Sequential(parts)


def gate_of(channels: int, options: StackOptions) -> nn.Sequential:
    """Build a convolution and a gated linear unit, or the activation."""
    outer = 2 * channels if options.glu_gate else channels
    context = options.glu_context
    conv = nn.Conv1d(channels, outer, 1 + 2 * context, padding=context)
    last = nn.GLU(1) if options.glu_gate else activation(options)
    return nn.Sequential(OrderedDict(conv=conv, gate=last))


class ConvStack(nn.Module):
    """Stack of convolutions over time, with optional residuals and gates.

    Args:
        channels: widths, the input's first: one layer fewer than widths.
        options: of all layers.
        transposed: convolutions that lengthen.
        bare_last: the last layer gives values: no norm, activation, dropout and rewrite there.
    """

    def __init__(
        self,
        channels: Sequence[int],
        options: StackOptions,
        transposed: bool = False,
        bare_last: bool = False,
    ) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(channels))
        self.skip = options.skip
        self.layers = nn.ModuleList(
            layer_of(
                convolution(k, inner, outer, options, transposed),
                k,
                options,
                bare_last and k == len(pairs) - 1,
            )
            for k, (inner, outer) in enumerate(pairs)
        )
        self.gates = nn.ModuleDict(
            {
                str(k): gate_of(outer, options)
                for k, (_, outer) in enumerate(pairs)
                if options.glu and (k + 1) % options.glu == 0
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels[-1], T') of x (B, channels[0], T); strides of 1 keep T."""
        for index, layer in enumerate(self.layers):
            old, x = x, layer(x)
            if self.skip and x.shape == old.shape:
                x = x + old
            if str(index) in self.gates:
                x = self.gates[str(index)](x)
        return x

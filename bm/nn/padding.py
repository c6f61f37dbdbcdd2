"""Convolutions over time with the padding that Du-IN's models and baselines have in common."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PaddedConv1d(nn.Conv1d):
    """Convolution that keeps the length at stride 1, else pads dilation (kernel - 1) / 2.

    At stride 1 an odd total of zeros has the extra one on the right; at other strides the half is
    rounded down (as published).

    Args:
        inner, outer: channels before and after.
        kernel, stride, dilation: samples.
        bias: learned offsets.
    """

    def __init__(
        self,
        inner: int,
        outer: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        span = dilation * (kernel - 1)
        super().__init__(inner, outer, kernel, stride, span // 2, dilation, bias=bias)
        self.extra = span % 2 if stride == 1 else 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, inner, T) -> (N, outer, T'), T' of `length`."""
        if not self.extra:
            return super().forward(x)
        left = self.padding[0]
        padded = functional.pad(x, (int(left), int(left) + self.extra))
        return functional.conv1d(
            padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )

    def length(self, n_times: int) -> int:
        """Samples behind the convolution of so many before it."""
        span = self.dilation[0] * (self.kernel_size[0] - 1)
        padding = 2 * int(self.padding[0]) + self.extra
        return (n_times + padding - span - 1) // self.stride[0] + 1

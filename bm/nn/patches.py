"""Patch embeddings: from stretches of signal, or from code vectors, to tokens."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

STRIDE = 8  # samples between two outputs of the first convolution


def embedding_width(n_filters: int, patch_samples: int) -> int:
    """Return the width D of a `TemporalConv`: 25 values per filter for 200 samples."""
    return n_filters * ((patch_samples - 1) // STRIDE + 1)


class TemporalConv(nn.Module):
    """Three temporal convolutions on each patch, normalised over all patches of an item.

    Tokens are the rows of one plane, so the statistics of the group norms run over all channels
    and patches: the features of a patch depend on all others (as published).

    Args:
        n_filters: F, a multiple of 4.
    """

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, n_filters, (1, 15), (1, STRIDE), (0, 7))
        self.conv2 = nn.Conv2d(n_filters, n_filters, (1, 3), padding=(0, 1))
        self.conv3 = nn.Conv2d(n_filters, n_filters, (1, 3), padding=(0, 1))
        self.norm1 = nn.GroupNorm(4, n_filters)
        self.norm2 = nn.GroupNorm(4, n_filters)
        self.norm3 = nn.GroupNorm(4, n_filters)

    def forward(self, patches: Tensor) -> Tensor:
        """Return tokens (B, L, D) of patches (B, L, P); feature = time * F + filter."""
        # one plane of all patches, not patches as items: the statistics of the norms need it
        x = patches.unsqueeze(1)
        for conv, norm in (
            (self.conv1, self.norm1),
            (self.conv2, self.norm2),
            (self.conv3, self.norm3),
        ):
            x = functional.gelu(norm(conv(x)))
        return x.permute(0, 2, 3, 1).flatten(2)


class CodeEmbedding(nn.Module):
    """Linear map of each code vector to a token.

    Args:
        code_width: d.
        width: D.
    """

    def __init__(self, code_width: int, width: int) -> None:
        super().__init__()
        # a convolution of width 1, as published, for the names and shapes of its weights alone
        self.proj = nn.Conv2d(code_width, width, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """Return tokens (B, L, D) of code vectors (B, L, d)."""
        return functional.linear(codes, self.proj.weight.flatten(1), self.proj.bias)

"""LaBraM and LaBraM-PopT in the form of Du-IN's comparison: tokens of single channels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.code_block import CodeBlock, CodeOptions
from ...nn.heads import LinearHead
from ...nn.post_norm import PostNormBlocks, PostNormOptions
from ...nn.sinusoids import sinusoids
from ...nn.transformer import truncated_normal
from .. import MODELS
from ..contract import Loadable
from ..sections import section_of

MM = 1000.0  # millimetres of a metre
PLACES = ("learned", "coordinates")


class PatchConvolutions(nn.ModuleList):
    """Convolutions within each patch, group norms over all patches of a window, GELU.

    Args:
        filters, kernels, strides: of the convolutions; each norm has filters / 2 groups.
    """

    def __init__(
        self, filters: Sequence[int], kernels: Sequence[int], strides: Sequence[int]
    ) -> None:
        pairs = itertools.pairwise((1, *filters))
        super().__init__()
        for (inner, outer), kernel, stride in zip(pairs, kernels, strides, strict=True):
            padding = "same" if stride == 1 else (0, (kernel - 1) // 2)
            conv = nn.Conv2d(inner, outer, (1, kernel), (1, stride), padding)
            self.append(nn.Sequential(conv, nn.GroupNorm(outer // 2, outer), nn.GELU()))

    def forward(self, patches: Tensor) -> Tensor:
        """(B, L, P) -> tokens (B, L, D), value = frame * filters + filter."""
        x = patches.unsqueeze(1)
        for block in self:
            x = block(x)
        return x.permute(0, 2, 3, 1).flatten(2)


def coordinate_encoding(positions: Tensor, width: int) -> Tensor:
    """Encode coordinates (..., 3) in mm as (..., width): sines and cosines of each axis, joined.

    Each axis has ceil(width / 3) values, rounded up to even; what is too much is cut off.
    """
    each = 2 * math.ceil(math.ceil(width / positions.shape[-1]) / 2)
    return sinusoids(positions, each).flatten(-2)[..., :width]


@MODELS.register("seeg_labram")
class SeegLaBraM(Loadable):
    """Classifier, published for words in sEEG at 200 Hz with the plain cross entropy.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        n_outputs: classes.
        patch_samples: P.
        filters, kernels, strides: of the convolutions.
        places: `learned`: a vector per channel (LaBraM); `coordinates`: its MNI position, so that
            one model serves several subjects (LaBraM-PopT).
        blocks: `PostNormOptions`.
        codes: `CodeOptions`, with `extras`.
        extras: also hold the codebook of published files, which nothing uses.
    """

    may_be_missing = ("head", "codes.")
    may_be_unexpected = ("head", "codes.")

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        patch_samples: int = 200,
        filters: Sequence[int] = (8, 8, 8),
        kernels: Sequence[int] = (15, 3, 3),
        strides: Sequence[int] = (8, 1, 1),
        places: str = "learned",
        blocks: Mapping[str, Any] | None = None,
        codes: Mapping[str, Any] | None = None,
        extras: bool = False,
    ) -> None:
        super().__init__()
        if places not in PLACES:
            raise UserError(f"model.places={places!r}: one of {', '.join(PLACES)}")
        n_patches, rest = divmod(n_times, patch_samples)
        if rest or not n_patches:
            raise UserError(
                f"windows of {n_times} samples: must be whole patches of {patch_samples} samples; "
                "change dset.segment.duration_s"
            )
        self.patch_samples = patch_samples
        width = filters[-1] * (patch_samples // math.prod(strides))
        self.convolutions = PatchConvolutions(filters, kernels, strides)
        self.channels = None
        if places == "learned":
            self.channels = nn.Parameter(truncated_normal(torch.empty(n_channels, width)))
        # called fixed, but its gradient is on in the published sizes
        self.time = nn.Parameter(torch.empty(n_patches, width).uniform_(-0.02, 0.02))
        self.blocks = PostNormBlocks(width, section_of(PostNormOptions, blocks, "blocks"))
        if extras:
            self.codes = CodeBlock(width, section_of(CodeOptions, codes, "codes"))
        self.head_norm = nn.LayerNorm(n_channels * n_patches * width)
        self.head = LinearHead(n_channels * n_patches * width, n_outputs)

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits (B, n_outputs).

        Args:
            x: (B, C, T) float32, T a whole number of patches.
            positions: (B, C, 3) metres, with `places=coordinates`.

        Raises:
            UserError: no finite positions where they are needed.
        """
        if self.channels is None and (positions is None or not bool(positions.isfinite().all())):
            raise UserError(
                "model.places=coordinates: the channels have no positions; use places=learned"
            )
        patches = x.unflatten(-1, (-1, self.patch_samples))
        tokens = self.convolutions(patches.flatten(1, 2)).unflatten(1, patches.shape[1:3])
        if self.channels is None:
            assert positions is not None
            places = coordinate_encoding(positions * MM, tokens.shape[-1])
        else:
            places = self.channels
        tokens = tokens + places[..., None, :] + self.time[: patches.shape[2]]
        return self.head(self.head_norm(self.blocks(tokens.flatten(1, 2)).flatten(1)))

"""Neuro-BERT: tokens by a strided convolution, masked reconstruction (baseline of Du-IN, 2024)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.heads import LinearHead
from ...nn.padding import PaddedConv1d
from ...nn.post_norm import PostNormBlocks, PostNormOptions
from ...nn.regression_head import RegressionHead, RegressionOptions
from ...nn.sinusoids import TimeTable
from ...nn.transformer import truncated_normal
from .. import MODELS
from ..contract import Loadable, PatchPredictor
from ..sections import section_of
from ..transfer import without_foreign_head


class NeuroBERTEncoder(nn.Module):
    """Convolutions with group norms over the tokens of a window, a time table, blocks.

    Args:
        n_channels: C.
        n_times: T, longest window.
        filters, kernels, strides: of the convolutions.
        blocks: options of the blocks.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        filters: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        blocks: PostNormOptions,
    ) -> None:
        super().__init__()
        pairs = itertools.pairwise((n_channels, *filters))
        layers, length = list[nn.Module](), n_times
        for (inner, outer), kernel, stride in zip(pairs, kernels, strides, strict=True):
            conv = PaddedConv1d(inner, outer, kernel, stride)
            # Two filters a group, as in the patch embedding of LaBraM.
            layers.append(nn.Sequential(conv, nn.GroupNorm(outer // 2, outer), nn.GELU()))
            length = conv.length(length)
        self.convolutions = nn.Sequential(*layers)
        self.width, self.n_tokens, self.depth = filters[-1], length, blocks.depth
        self.patch_samples = math.prod(strides)
        self.time = TimeTable(length, self.width)
        self.blocks = PostNormBlocks(self.width, blocks)

    def tokens(self, x: Tensor) -> Tensor:
        """Signal (B, C, T) -> tokens (B, L, D) before the blocks."""
        return self.convolutions(x).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Signal (B, C, T) -> tokens (B, L, D)."""
        return self.blocks(self.time(self.tokens(x)))


@MODELS.register("neurobert")
class NeuroBERT(Loadable):
    """Classifier, published for words in sEEG at 400 Hz with the loss `sigmoid_ce`.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        n_outputs: classes.
        filters, kernels, strides: of the convolutions.
        blocks: `PostNormOptions`.
        hidden: widths of the head's hidden layers, without activation.
    """

    may_be_missing = ("head.",)  # of pre-training weights
    may_be_unexpected = ("mask_token", "decoder.", "head.")

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        filters: Sequence[int] = (128,),
        kernels: Sequence[int] = (40,),
        strides: Sequence[int] = (40,),
        blocks: Mapping[str, Any] | None = None,
        hidden: Sequence[int] = (128,),
    ) -> None:
        super().__init__()
        options = section_of(PostNormOptions, blocks, "blocks")
        self.encoder = NeuroBERTEncoder(n_channels, n_times, filters, kernels, strides, options)
        # The head reads all tokens side by side: word onsets have a fixed place in the window.
        width = self.encoder.width * self.encoder.n_tokens
        self.head = LinearHead(width, n_outputs, hidden, rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 -> logits (B, n_outputs)."""
        return self.head(self.encoder(x).flatten(1))

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of another window length keep the time table here, which is a formula."""
        name, table = "encoder.time.table", self.encoder.time.table
        if name in state and state[name].shape != table.shape:
            state = {**state, name: table}
        return without_foreign_head(state, self.state_dict(), ("decoder.", "mask_token"))


@MODELS.register("neurobert_mae")
class NeuroBERTMAE(PatchPredictor):
    """Pre-training: rebuild the signal from tokens of which half are hidden (one pass).

    Published: squared error over all samples, hidden or not (solver.target=patches with symmetric
    and halves=mean, which is the same sum).

    Args:
        n_channels: C.
        n_times: T, longest window.
        filters, kernels, strides: of the convolutions.
        blocks: `PostNormOptions` of encoder and decoder.
        decoder_depth: blocks of the decoder.
        head: `RegressionOptions`; its strides make the samples of a token.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        filters: Sequence[int] = (128,),
        kernels: Sequence[int] = (40,),
        strides: Sequence[int] = (40,),
        blocks: Mapping[str, Any] | None = None,
        decoder_depth: int = 4,
        head: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = section_of(PostNormOptions, blocks, "blocks")
        self.encoder = NeuroBERTEncoder(n_channels, n_times, filters, kernels, strides, options)
        width = self.encoder.width
        self.decoder = PostNormBlocks(width, replace(options, depth=decoder_depth))
        regression = section_of(RegressionOptions, head, "head")
        if math.prod(regression.strides) != self.encoder.patch_samples:
            raise UserError(
                f"model.head.strides={list(regression.strides)}: must make the "
                f"{self.encoder.patch_samples} samples of a token"
            )
        self.head = RegressionHead(width, n_channels, regression)
        self.mask_token = nn.Parameter(truncated_normal(torch.empty(width)))

    def patch_targets(self, x: Tensor) -> Tensor:
        """Signal (B, C, T) -> what is predicted of each token (B, L, C * P)."""
        return x.unflatten(-1, (-1, self.encoder.patch_samples)).transpose(1, 2).flatten(2)

    def forward(self, x: Tensor, mask: Tensor, symmetric: bool = True) -> Tensor:
        """Predicted patches (B, L, C * P), those of visible tokens too.

        Args:
            x: (B, C, T) float32, T a whole number of patches.
            mask: (B, L) bool, true = masked.
            symmetric: without effect: one pass predicts all patches.
        """
        tokens = self.encoder.tokens(x)
        hidden = torch.where(mask[..., None], self.mask_token.to(tokens.dtype), tokens)
        encoded = self.encoder.blocks(self.encoder.time(hidden))
        return self.patch_targets(self.head(self.decoder(self.encoder.time(encoded))))

"""Du-IN MAE, stage 2: predict the codes of hidden patches, each half in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...nn.heads import LinearHead
from ...nn.transformer import truncated_normal
from .. import MODELS
from ..contract import Loadable, TokenEncoder
from .backbone import Backbone, BackboneOptions, Size, describe_patches


@MODELS.register("duin_mae")
class DuinMAE(Loadable, TokenEncoder):
    """Logits over the codes of stage 1 (Zheng et al., 2024, section 3.3).

    Args:
        n_channels: C.
        n_subjects: S.
        n_times: T, longest window in samples.
        backbone: sections of `BackboneOptions`.
        n_codes: K of the tokenizer.
        hidden: widths of hidden layers of the head.
        head_dropout: before the last layer of the head.

    Example:
        >>> model = DuinMAE(10, 1, 4000, {"blocks": {"depth": 1}}, n_codes=64)
        >>> mask = torch.arange(40) % 2 == 0
        >>> model(torch.zeros(1, 10, 4000), mask[None]).shape
        torch.Size([1, 40, 64])
    """

    def __init__(
        self,
        n_channels: int,
        n_subjects: int,
        n_times: int,
        backbone: Mapping[str, Any],
        n_codes: int = 2048,
        hidden: Sequence[int] = (),
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_codes = n_codes
        size = Size(n_channels, max(1, n_subjects), n_times)
        self.backbone = Backbone(size, BackboneOptions.of(backbone))
        describe_patches(self, self.backbone)
        self.depth = self.backbone.depth
        width = self.backbone.width
        self.mask_token = nn.Parameter(truncated_normal(torch.empty(width)))
        self.head = LinearHead(width, n_codes, hidden, dropout=head_dropout)

    def tokens(  # type: ignore[override]  # channels by place, not by name
        self,
        x: Tensor,
        subject: Tensor | None = None,
        channel_mask: Tensor | None = None,
        layer: int | None = None,
        pool: str = "none",
    ) -> Tensor:
        """Signal (B, C, T), nothing masked -> tokens (B, 1, L, D), or (B, D); see `Backbone`."""
        return self.backbone.features(x, subject, channel_mask, layer, pool)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        subject: Tensor | None = None,
        channel_mask: Tensor | None = None,
        symmetric: bool = True,
    ) -> Tensor:
        """Logits (B, L, K) of each patch, from the pass in which it was masked.

        Args:
            x: (B, C, T) float32, scaled per channel, T a whole number of patches.
            mask: (B, L) bool, true = masked in the first pass; the second hides the others.
            subject: (B,) int64; may be left out for one subject.
            channel_mask: (B, C) bool, true = the channel exists.
            symmetric: False = the first pass only; logits of its visible patches then mean nothing.
        """
        tokens = self.backbone.tokens(x, subject, channel_mask)
        token = self.mask_token.to(tokens.dtype)
        masks = [mask, ~mask] if symmetric else [mask]
        passes = torch.cat([torch.where(m[..., None], token, tokens) for m in masks])
        encoded = self.backbone.encode(passes)  # both passes as one batch
        if symmetric:
            encoded = torch.where(mask[..., None], *encoded.chunk(2))
        return self.head(encoded)

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of another window length: the time table is a formula and is not taken over."""
        return self.backbone.without_other_times(state, self)

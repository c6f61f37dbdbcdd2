"""LaBraM's pre-training: prediction of the codes of masked patches, each half in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import MODELS
from ..contract import Loadable, Microvolts, TokenEncoder
from .backbone import AMPLITUDE_UV, LEARNED, Backbone, backbone_options

CUT = 0.02  # first values are cut at one standard deviation, as published for this stage alone


class Student(Backbone):
    """Backbone with a mask token and a final norm; `options` are those of `Backbone`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, self.width))
        self.norm = nn.LayerNorm(self.width, options.get("eps", 1e-6))

    def final(self, x: Tensor) -> Tensor:
        """Return tokens (..., D) after the last layer norm."""
        return self.norm(x)

    def masked(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return patch tokens (B, L, D) with the mask token where mask (B, L) is true."""
        return torch.where(mask[..., None], self.mask_token.to(tokens.dtype), tokens)


@MODELS.register("labram_masked")
class LaBraMMasked(Loadable, Microvolts, TokenEncoder):
    """Network that predicts the tokenizer's codes of masked patches.

    Jiang et al. (2024), section 2.3.

    Args:
        backbone: arguments of `Backbone`.
        n_codes: K of the tokenizer.
        channel_names: names that `channel_ids` index; None = the published list of 128.
        electrodes, geodesic_net: of channels that the published list lacks, see `Backbone`.
        amplitude_uv: microvolts that count as 1.
        class_row: `own`: the class token has row 0 of the spatial embedding, as it has in the
            classifier; `electrode`: the row of the first channel, as published.
        extras: also hold the two heads of the published files that nothing uses, so that state
            dicts correspond one to one.

    Example:
        >>> model = LaBraMMasked({"depth": 1}, n_codes=64)
        >>> mask = torch.arange(256) % 2 == 0
        >>> model(torch.zeros(1, 128, 400), mask[None]).shape
        torch.Size([1, 256, 64])
    """

    may_be_missing = (f"student.{LEARNED}",)
    # unused heads of published files
    may_be_unexpected = ("student.lm_head.", "projection_head.", f"student.{LEARNED}")

    def __init__(
        self,
        backbone: Mapping[str, Any],
        n_codes: int = 8192,
        channel_names: Sequence[str] | None = None,
        amplitude_uv: float = AMPLITUDE_UV,
        class_row: str = "own",
        extras: bool = False,
        electrodes: str = "exact",
        geodesic_net: int | None = None,
    ) -> None:
        super().__init__()
        self.electrode_rule, self.geodesic_net = electrodes, geodesic_net
        self.amplitude_uv, self.n_codes = amplitude_uv, n_codes
        options = backbone_options("backbone", backbone)
        options |= {"electrodes": electrodes, "geodesic_net": geodesic_net}
        self.student = Student(channel_names=channel_names, class_row=class_row, **options)
        self.patch_samples, self.max_patches = self.student.patch_samples, self.student.max_patches
        self.named_channels, self.depth = self.student.named_channels, self.student.depth
        width = self.student.width
        if extras:
            self.student.lm_head = nn.Linear(width, n_codes)
            self.projection_head = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.lm_head = nn.Linear(width, n_codes)  # its bias starts as torch's do, as published
        self.student.start(CUT, convolutions=True)
        for weight in (self.student.mask_token, self.lm_head.weight):
            nn.init.trunc_normal_(weight, std=CUT, a=-CUT, b=CUT)

    def hidden(
        self, x: Tensor, masks: Sequence[Tensor], channel_ids: Tensor | None = None
    ) -> Tensor:
        """Return all tokens after the last norm, one pass for each of M masks.

        Args:
            x: (B, C, T) microvolts.
            masks: each (B, C * A) bool, true = masked.
            channel_ids: (C,) or (B, C); None = all channels in order.

        Returns:
            (M, B, 1 + C * A, D), computed as one batch of M * B.
        """
        # embedded once: masks act on tokens, behind the convolutions, whose norms see all patches
        tokens, shape = self.student.patches(x / self.amplitude_uv)
        every = torch.cat([self.student.masked(tokens, mask) for mask in masks])
        if channel_ids is not None and channel_ids.ndim > 1:
            channel_ids = channel_ids.repeat(len(masks), 1)
        hidden = self.student.norm(self.student.encode(every, shape, channel_ids))
        return hidden.unflatten(0, (len(masks), len(x)))

    def tokens(
        self,
        x: Tensor,
        channel_ids: Tensor | None = None,
        layer: int | None = None,
        pool: str = "none",
    ) -> Tensor:
        """Return normalised patch tokens (B, C, A, D) of a signal (B, C, T), nothing masked.

        `layer` and `pool` as in `Backbone.patch_tokens`.
        """
        return self.student.patch_tokens(x / self.amplitude_uv, channel_ids, layer, pool)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        channel_ids: Tensor | None = None,
        symmetric: bool = True,
    ) -> Tensor:
        """Return logits (B, L, K) of each patch, from the pass in which it was masked.

        Args:
            x: (B, C, T) float32 microvolts, T a whole number of patches; L = C * A.
            mask: (B, L) bool, true = masked in the first pass; the second hides the others.
            channel_ids: (C,) or (B, C) places in `channel_names`; None = all of them in order.
            symmetric: False = the first pass only; logits of its visible patches then mean nothing.
        """
        if not symmetric:
            return self.lm_head(self.hidden(x, [mask], channel_ids)[0, :, 1:])
        # one batch of both halves; the head then runs once, on the tokens that were masked
        first, second = self.hidden(x, [mask, ~mask], channel_ids)[:, :, 1:]
        return self.lm_head(torch.where(mask[..., None], first, second))

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters that are never decayed; the mask token is not one."""
        return {f"student.{name}" for name in self.student.no_weight_decay()}

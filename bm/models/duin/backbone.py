"""Du-IN's backbone: one token per patch of all channels together, then transformer blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.per_subject import PerSubject
from ...nn.post_norm import PostNormBlocks, PostNormOptions
from ...nn.sinusoids import TimeTable
from ...registry import check_arguments, check_known
from ..contract import POOLS, Patched
from ..sections import section_of
from .patches import PatchOptions, PatchTokenizer
from .subject_block import SubjectBlock

VARIANTS = ("single", "poms")


@dataclass(frozen=True)
class SubjectOptions:
    """The linear map of each subject, in the variant `single`.

    Attributes:
        width: features that the channels are mapped to.
        bias, projection: of `SubjectBlock`.
    """

    width: int = 16
    bias: bool = True
    projection: bool = False


@dataclass(frozen=True)
class BackboneOptions:
    """Sections of `model.backbone`.

    Attributes:
        variant: `single`: a linear map per subject before one tokenizer; `poms`: a whole tokenizer
            per subject, everything behind it shared.
        subject, patches, blocks: options of the parts.
    """

    variant: str
    subject: SubjectOptions
    patches: PatchOptions
    blocks: PostNormOptions

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> BackboneOptions:
        """Read the section; raises `UserError` for an unknown key or an impossible value."""
        check_arguments("model.backbone", cls, values)
        variant = values.get("variant", "single")
        check_known("model.backbone.variant", variant, VARIANTS)
        return cls(
            variant,
            section_of(SubjectOptions, values.get("subject"), "backbone.subject"),
            section_of(PatchOptions, values.get("patches"), "backbone.patches"),
            section_of(PostNormOptions, values.get("blocks"), "backbone.blocks"),
        )


@dataclass(frozen=True)
class Size:
    """What the data say of the sizes: C, S and the samples T of a window."""

    n_channels: int
    n_subjects: int
    n_times: int


class Backbone(nn.Module):
    """Region-level tokens (B, L, D) of windows, L = T / W.

    Args:
        size: of the data; windows may be shorter than its T, not longer.
        o: options.

    Raises:
        UserError: windows that are no whole number of patches.
    """

    def __init__(self, size: Size, o: BackboneOptions) -> None:
        super().__init__()
        self.size, self.patch_samples = size, o.patches.samples
        self.width, self.depth = o.patches.width, o.blocks.depth
        self.check_length(size.n_times)
        if o.variant == "single":
            self.subject = SubjectBlock(
                size.n_channels, o.subject.width, size.n_subjects, o.subject.bias,
                o.subject.projection,
            )  # fmt: skip
            self.tokenizer = PatchTokenizer(o.subject.width, o.patches)
        else:
            self.tokenizers = PerSubject(
                lambda: PatchTokenizer(size.n_channels, o.patches), size.n_subjects
            )
        self.time = TimeTable(size.n_times // self.patch_samples, self.width)
        self.blocks = PostNormBlocks(self.width, o.blocks)

    def check_length(self, n_times: int) -> None:
        """Raise `UserError` unless windows of so many samples are whole patches that fit."""
        if n_times % self.patch_samples or not 0 < n_times <= self.size.n_times:
            raise UserError(
                f"windows of {n_times} samples: must be whole patches of {self.patch_samples} "
                f"samples, at most {self.size.n_times} samples; change dset.segment.duration_s"
            )

    def check_channels(self, n_channels: int) -> None:
        """Raise `UserError` for more channels than the model is built for."""
        if n_channels > self.size.n_channels:
            raise UserError(
                f"windows of {n_channels} channels: the model is built for {self.size.n_channels}; "
                "set model.n_channels"
            )

    def tokens(
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> Tensor:
        """Signal (B, C, T) -> tokens (B, L, D) before the blocks.

        Args:
            x: float32, scaled per channel; fewer channels than built for are the first ones.
            subject: (B,) int64; may be left out for one subject.
            channel_mask: (B, C) bool, true = the channel exists.
        """
        self.check_length(x.shape[-1])
        self.check_channels(x.shape[1])
        if hasattr(self, "subject"):
            return self.tokenizer(self.subject(x, subject, channel_mask))
        if channel_mask is not None:
            x = x * channel_mask[..., None]
        if x.shape[1] < self.size.n_channels:
            x = nn.functional.pad(x, (0, 0, 0, self.size.n_channels - x.shape[1]))
        return self.tokenizers(x, subject)

    def encode(self, tokens: Tensor, layer: int | None = None) -> Tensor:
        """Tokens (B, L, D) plus time, through the blocks (the first `layer`; None = all)."""
        if layer is not None and not 0 <= layer <= self.depth:
            raise UserError(f"layer={layer}: the network has blocks 1 to {self.depth}; 0 = none")
        return self.blocks(self.time(tokens), layer=layer)

    def forward(
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> Tensor:
        """Signal (B, C, T) -> tokens (B, L, D) after the blocks; arguments of `tokens`."""
        return self.encode(self.tokens(x, subject, channel_mask))

    def features(
        self,
        x: Tensor,
        subject: Tensor | None = None,
        channel_mask: Tensor | None = None,
        layer: int | None = None,
        pool: str = "none",
    ) -> Tensor:
        """Features of a frozen network: (B, 1, L, D), or (B, D) with `pool`.

        Args:
            x, subject, channel_mask: of `tokens`.
            layer: blocks to go through; None = all.
            pool: `mean` over patches.
        """
        check_known("pool", pool, POOLS)
        tokens = self.encode(self.tokens(x, subject, channel_mask), layer)
        return tokens.mean(1) if pool == "mean" else tokens[:, None]

    def contribution(self) -> Tensor:
        """Mean absolute weight of each channel for each subject, (S, C)."""
        if hasattr(self, "subject"):
            return self.subject.contribution()
        return torch.stack([tokenizer.contribution() for tokenizer in self.tokenizers])  # type: ignore[operator]

    @torch.no_grad()
    def channel_weights(self) -> Tensor:
        """Return the weights (S, C, D) by which channels enter the network, for each subject."""
        if hasattr(self, "subject"):
            return self.subject.maps()
        first = [tokenizer.blocks[0].conv.weight for tokenizer in self.tokenizers]  # type: ignore[operator,union-attr,index]
        return torch.stack([weight.transpose(0, 1).flatten(1) for weight in first])

    def without_other_times(self, state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        """Take the model's own time table into a state of another window length.

        The table is a formula; published stage 3 has 30 tokens where stages 1 and 2 have 40.
        """
        name = "backbone.time.table"
        table = model.state_dict()[name]
        if name in state and state[name].shape != table.shape:
            return {**state, name: table}
        return state


def describe_patches(model: Patched, backbone: Backbone) -> None:
    """Set the attributes by which the contract knows a model that cuts windows into patches."""
    model.patch_samples = backbone.patch_samples
    model.max_patches = backbone.size.n_times // backbone.patch_samples
    model.named_channels = False  # channels are told apart by their place

"""Du-IN CLS, stage 3: the word of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ...nn.code_block import CodeBlock, CodeOptions
from ...nn.heads import LinearHead
from .. import MODELS
from ..contract import ChannelRanker, LabelPenalised, Layered, Loadable, TokenEncoder
from ..sections import section_of
from ..transfer import without_foreign_head
from .backbone import Backbone, BackboneOptions, Size, describe_patches
from .contrast import ContrastBlock, ContrastOptions

#: Parts of the pre-training models that a classifier has no use for.
PRETRAINING = ("decoder.", "head.", "heads.", "readout.", "mask_token", "contrast.")
#: Those of them that no classifier has.
MARKERS = ("decoder.", "heads.", "readout.", "mask_token")


@MODELS.register("duin_cls")
class DuinClassifier(Loadable, Layered, TokenEncoder, LabelPenalised, ChannelRanker):
    """Classes from windows of a few sEEG channels (Zheng et al., 2024, section 3.4).

    As published, the loss is the cross entropy of sigmoids of these logits: `solver.cls_loss`.

    Args:
        n_channels: C.
        n_subjects: S.
        n_times: T, samples of a window.
        n_outputs: classes.
        backbone: sections of `BackboneOptions`.
        hidden: widths of hidden layers of the head.
        head_dropout: before the last layer of the head.
        use_codes: the head sees tokens that went through the codebook ("vqvae+vq" of the paper).
        codes: `CodeOptions` of that codebook.
        contrast: `ContrastOptions`; its loss is added in training when `scale` > 0.
        extras: also hold the codebook and the contrastive block of published files when nothing
            uses them, so that state dicts correspond one to one.

    Example:
        >>> model = DuinClassifier(10, 1, 3000, 61, {"blocks": {"depth": 1}})
        >>> model(torch.zeros(2, 10, 3000)).shape
        torch.Size([2, 61])
    """

    def __init__(
        self,
        n_channels: int,
        n_subjects: int,
        n_times: int,
        n_outputs: int,
        backbone: Mapping[str, Any],
        hidden: Sequence[int] = (128,),
        head_dropout: float = 0.0,
        use_codes: bool = False,
        codes: Mapping[str, Any] | None = None,
        contrast: Mapping[str, Any] | None = None,
        extras: bool = False,
    ) -> None:
        super().__init__()
        size = Size(n_channels, max(1, n_subjects), n_times)
        self.backbone, self.use_codes = Backbone(size, BackboneOptions.of(backbone)), use_codes
        describe_patches(self, self.backbone)
        self.depth = self.backbone.depth
        self.n_layers = self.depth + 1
        width = self.backbone.width
        if use_codes or extras:
            self.codes = CodeBlock(width, section_of(CodeOptions, codes, "codes"))
        o = section_of(ContrastOptions, contrast, "contrast")
        if o.scale or extras:
            self.contrast = ContrastBlock(width, o)
        self.penalty_scale = o.scale
        length = n_times // self.backbone.patch_samples
        self.head = LinearHead(width * length, n_outputs, hidden, dropout=head_dropout)
        # of pre-training weights; with use_codes the codebook of stage 1 must be among them
        self.may_be_missing = ("head.", "contrast.") + (() if use_codes else ("codes.",))
        self.may_be_unexpected = PRETRAINING + (() if use_codes else ("codes.",))

    def encode(
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> Tensor:
        """Signal (B, C, T) -> tokens that the head sees (B, L, D)."""
        tokens = self.backbone(x, subject, channel_mask)
        return self.codes(tokens).tokens if self.use_codes else tokens

    def tokens(  # type: ignore[override]  # channels by place, not by name
        self,
        x: Tensor,
        subject: Tensor | None = None,
        channel_mask: Tensor | None = None,
        layer: int | None = None,
        pool: str = "none",
    ) -> Tensor:
        """Signal (B, C, T) -> tokens (B, 1, L, D), or (B, D); see `Backbone.features`."""
        return self.backbone.features(x, subject, channel_mask, layer, pool)

    def forward(
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> Tensor:
        """Logits (B, n_outputs).

        Args:
            x: (B, C, T) float32, scaled per channel, T as built for.
            subject: (B,) int64; may be left out for one subject.
            channel_mask: (B, C) bool, true = the channel exists.
        """
        return self.head(self.encode(x, subject, channel_mask).flatten(1))

    def penalised(self, x: Tensor, labels: Tensor, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, n_outputs) and the contrastive loss of windows of classes (B,) int64.

        Args:
            x: of `forward`.
            labels: (B,) int64 classes.
            inputs: other arguments of `forward`.
        """
        tokens = self.encode(x, **inputs)
        return self.head(tokens.flatten(1)), self.contrast(tokens, labels)

    def contribution(self) -> Tensor:
        """Mean absolute weight of each channel for each subject, (S, C), to choose channels by."""
        return self.backbone.contribution()

    def channel_weights(self) -> Tensor:
        """Return the weights (S, C, D) of each person's map of channels."""
        return self.backbone.channel_weights()

    def layer_number(self, name: str) -> int:
        """Layer of a parameter for layer-wise rates: 0 tokens, 1..n blocks, n + 1 rest."""
        if name.startswith("backbone.blocks."):
            return int(name.split(".")[2]) + 1
        return 0 if name.startswith("backbone.") else self.n_layers

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of pre-training or of another classifier; a head of other sizes is left out."""
        state = self.backbone.without_other_times(state, self)
        return without_foreign_head(state, self.state_dict(), MARKERS)

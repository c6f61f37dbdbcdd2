"""Du-IN VQ-VAE, stage 1: codes of 100 ms from which the signal of all channels is rebuilt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import UserError
from ...losses.regression import masked_mean
from ...nn.code_block import CodeBlock, CodeOptions
from ...nn.per_subject import PerSubject
from ...nn.post_norm import PostNormBlocks
from ...nn.quantiser import Quantiser
from ...nn.regression_head import RegressionHead, RegressionOptions
from .. import MODELS
from ..contract import Loadable, Tokenizer
from ..reconstruction import Reconstruction
from ..sections import section_of
from .backbone import Backbone, BackboneOptions, Size, describe_patches
from .subject_block import SubjectBlock


@dataclass(frozen=True)
class Rebuilt:
    """Signals that went through the codebook.

    Attributes:
        indices: (B, L) int64 codes.
        loss: scalar, the quantiser's.
        signal: (B, C, T) rebuilt.
        channel_mask: (B, C) bool of the channels that exist, or None = all.
    """

    indices: Tensor
    loss: Tensor
    signal: Tensor
    channel_mask: Tensor | None


@MODELS.register("duin_vqvae")
class DuinVQVAE(Loadable, Tokenizer):
    """Vector-quantised autoencoder of the channels of a subject (Zheng et al., 2024, section 3.2).

    Args:
        n_channels: C.
        n_subjects: S.
        n_times: T, longest window in samples.
        backbone: sections of `BackboneOptions`.
        codes: `CodeOptions`.
        decoder_depth: blocks behind the codebook.
        head: `RegressionOptions`.
        reconstruction_scale, quantiser_scale: weights of the two losses.
        readout_gain: g of the first weights, of standard deviation g / sqrt(inputs), of the linear
            layers behind the codebook; None = 0.02, as published.

    Example:
        >>> small = {"blocks": {"depth": 1}}
        >>> model = DuinVQVAE(10, 1, 4000, small, {"n_codes": 64}, decoder_depth=1)
        >>> model.tokens(torch.zeros(3, 10, 4000)).shape
        torch.Size([3, 40])
    """

    def __init__(
        self,
        n_channels: int,
        n_subjects: int,
        n_times: int,
        backbone: Mapping[str, Any],
        codes: Mapping[str, Any] | None = None,
        decoder_depth: int = 4,
        head: Mapping[str, Any] | None = None,
        reconstruction_scale: float = 1.0,
        quantiser_scale: float = 1.0,
        readout_gain: float | None = None,
    ) -> None:
        super().__init__()
        options = BackboneOptions.of(backbone)
        size = Size(n_channels, max(1, n_subjects), n_times)
        self.backbone = Backbone(size, options)
        describe_patches(self, self.backbone)
        self.codes = CodeBlock(self.backbone.width, section_of(CodeOptions, codes, "codes"))
        blocks = replace(options.blocks, depth=decoder_depth)
        self.decoder = PostNormBlocks(self.backbone.width, blocks)
        self.n_codes = self.quantiser.n_codes
        self.scales = {"reconstruction": reconstruction_scale, "quantiser": quantiser_scale}
        self._build_head(size, options, section_of(RegressionOptions, head, "head"))
        if readout_gain is not None:
            self._start_readout(readout_gain)

    def _build_head(self, size: Size, o: BackboneOptions, head: RegressionOptions) -> None:
        """Add the way from tokens back to channels, per subject at its end or as a whole."""
        width, samples = self.backbone.width, o.patches.samples
        length = math.prod(head.strides)
        split, rest = divmod(samples, length)
        if rest or (o.variant == "single" and split != 1):
            raise UserError(
                f"model.head.strides={list(head.strides)}: a token becomes {length} samples, but "
                f"a patch has {samples}"
            )
        try:
            if o.variant == "single":
                self.head = RegressionHead(width, o.subject.width, head)
                self.readout = SubjectBlock(
                    o.subject.width, size.n_channels, size.n_subjects, o.subject.bias,
                    o.subject.projection,
                )  # fmt: skip
            else:
                self.heads = PerSubject(
                    lambda: RegressionHead(width, size.n_channels, head, split), size.n_subjects
                )
        except ValueError as error:
            raise UserError(f"model.head: {error}") from None

    @torch.no_grad()
    def _start_readout(self, gain: float) -> None:
        """Draw first weights behind the codebook that pass an error of order 1 back to it.

        With the published 0.02 three times in a row hardly any of it arrives, so the commitment
        loss alone moves the vectors at first, to one code: measured on ten simulated contacts
        (beta 0.1, 40 steps), a perplexity of 1.1 where a gain of 1 has 15.5.
        """
        heads = [m for m in self.modules() if isinstance(m, RegressionHead)]
        for layer in (self.codes.from_code, *(head.output for head in heads)):
            layer.weight.normal_(0, gain * layer.in_features**-0.5)
        if hasattr(self, "readout"):
            self.readout.weight.normal_(0, gain * self.readout.inner**-0.5)

    @property
    def quantiser(self) -> Quantiser:  # type: ignore[override]  # a second name would save it twice
        """The quantiser, whose codebook the solver starts and counts."""
        return self.codes.quantiser

    def code_vectors(  # type: ignore[override]  # channels by place, not by name
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int]]:
        """Signal (B, C, T) -> vectors (B, L, d) before the quantiser, and (1, L): one region."""
        vectors = self.codes.vectors(self.backbone(x, subject, channel_mask))
        return vectors, (1, vectors.shape[1])

    @torch.no_grad()
    def tokens(  # type: ignore[override]
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> Tensor:
        """Signal (B, C, T) -> codes (B, L); changes no state of the quantiser in any mode."""
        return self.codes.indices(self.backbone(x, subject, channel_mask))

    def decode(self, tokens: Tensor, n_channels: int, subject: Tensor | None = None) -> Tensor:
        """Tokens (B, L, D) behind the codebook -> signal (B, n_channels, T)."""
        tokens = self.decoder(self.backbone.time(tokens))
        if hasattr(self, "heads"):
            return self.heads(tokens, subject)[:, :n_channels]
        return self.readout(self.head(tokens), subject)[:, :n_channels]

    def forward(
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> Rebuilt:
        """Quantise and rebuild; in training the codebook follows.

        Args:
            x: (B, C, T) float32, scaled per channel, T a whole number of patches.
            subject: (B,) int64; may be left out for one subject.
            channel_mask: (B, C) bool, true = the channel exists.
        """
        coded = self.codes(self.backbone(x, subject, channel_mask))
        signal = self.decode(coded.tokens, x.shape[1], subject)
        return Rebuilt(coded.indices, coded.loss, signal, channel_mask)

    def losses(self, rebuilt: Rebuilt, x: Tensor) -> dict[str, Tensor]:
        """`loss`, the weighted sum, and its parts `reconstruction` and `quantiser`.

        The reconstruction is the squared error, mean over time, then over channels that exist.
        """
        errors = (rebuilt.signal.float() - x).square().mean(-1)
        parts = {
            "reconstruction": masked_mean(errors, rebuilt.channel_mask),
            "quantiser": rebuilt.loss,
        }
        total = sum(self.scales[name] * value for name, value in parts.items())
        return {"loss": torch.as_tensor(total), **parts}

    def reconstructions(self, rebuilt: Rebuilt, x: Tensor) -> list[Reconstruction]:
        """Rebuilt beside true signal, channel by channel."""
        shown = self.backbone.patch_samples * 5  # half a second of traces is readable in a figure
        return [Reconstruction("signal", x, rebuilt.signal.float(), "samples", shown, True)]

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of another window length: the time table is a formula and is not taken over."""
        return self.backbone.without_other_times(state, self)

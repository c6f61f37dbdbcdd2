"""Du-IN's phoneme model: initial and final of the syllable at each token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ...errors import UserError
from ...losses.regression import masked_mean
from ...nn.code_block import CodeBlock, CodeOptions
from ...nn.heads import LinearHead
from .. import MODELS
from ..contract import Loadable, TokenClassifier
from ..sections import section_of
from .backbone import Backbone, BackboneOptions, Size
from .classifier import PRETRAINING


@MODELS.register("duin_phoneme")
class DuinPhonemes(Loadable, TokenClassifier):
    """Logits over the initials and finals of Mandarin syllables, token by token.

    Args:
        n_channels: C.
        n_subjects: S.
        n_times: T, longest window in samples.
        backbone: sections of `BackboneOptions`.
        heads: name -> classes of each head.
        hidden: widths of hidden layers of each head.
        trained: names of the heads whose losses are added up; None = all. The published model
            computes the loss of the initials and trains on the finals alone.
        codes, extras: the unused codebook of published files, as in `DuinClassifier`.

    Example:
        >>> model = DuinPhonemes(10, 1, 3000, {"blocks": {"depth": 1}})
        >>> model(torch.zeros(2, 10, 3000))["final"].shape
        torch.Size([2, 30, 36])
    """

    # Stages 1 and 2 have no phoneme heads, and nothing here reads the codebook.
    may_be_missing = ("heads.", "codes.")
    may_be_unexpected = (*PRETRAINING, "codes.")

    def __init__(
        self,
        n_channels: int,
        n_subjects: int,
        n_times: int,
        backbone: Mapping[str, Any],
        heads: Mapping[str, int] | None = None,
        hidden: Sequence[int] = (128,),
        trained: Sequence[str] | None = None,
        codes: Mapping[str, Any] | None = None,
        extras: bool = False,
    ) -> None:
        super().__init__()
        # As published: 22 initials and 36 finals of Mandarin syllables.
        sizes = dict(heads or {"initial": 22, "final": 36})
        self.trained = tuple(sizes) if trained is None else tuple(trained)
        unknown = sorted(set(self.trained) - set(sizes))
        if unknown or not self.trained:
            raise UserError(f"model.trained={list(self.trained)}: some of {list(sizes)}")
        size = Size(n_channels, max(1, n_subjects), n_times)
        self.backbone = Backbone(size, BackboneOptions.of(backbone))
        self.patch_samples, self.head_sizes = self.backbone.patch_samples, sizes
        width = self.backbone.width
        if extras:
            self.codes = CodeBlock(width, section_of(CodeOptions, codes, "codes"))
        self.heads = nn.ModuleDict({n: LinearHead(width, k, hidden) for n, k in sizes.items()})

    def forward(
        self, x: Tensor, subject: Tensor | None = None, channel_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits (B, L, classes) by the name of the head.

        Args:
            x: (B, C, T) float32, scaled per channel, T a whole number of patches.
            subject: (B,) int64; may be left out for one subject.
            channel_mask: (B, C) bool, true = the channel exists.
        """
        tokens = self.backbone(x, subject, channel_mask)
        return {name: head(tokens) for name, head in self.heads.items()}

    def losses(
        self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor], mask: Tensor
    ) -> dict[str, Tensor]:
        """`loss`, the sum over the trained heads, and `loss_<head>` of each.

        Args:
            logits: of `forward`.
            labels: name -> (B, L) int64 classes.
            mask: (B, L) bool, true = a phoneme is spoken there.
        """
        parts: dict[str, Tensor] = {}
        for name, values in logits.items():
            # float32 also under autocast: sums of exponentials lose digits in half precision.
            entropy = functional.cross_entropy(
                values.flatten(0, 1).float(), labels[name].flatten(), reduction="none"
            )
            # The original adds 1e-12 to the count of tokens; both give 0 where nothing is spoken.
            parts[f"loss_{name}"] = masked_mean(entropy.view(mask.shape), mask)
        total = sum(parts[f"loss_{name}"] for name in self.trained)
        return {"loss": total, **parts}  # type: ignore[dict-item]

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of another window length: the time table is a formula and is not taken over."""
        return self.backbone.without_other_times(state, self)

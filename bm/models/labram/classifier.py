"""LaBraM's classifier: the backbone with a linear head, for fine-tuning and feature extraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import MODELS
from ..contract import Layered, Loadable, Microvolts, TokenEncoder
from .backbone import AMPLITUDE_UV, LEARNED, Encoder, backbone_options, layer_number

HEAD_SCALE = 0.001  # factor of the head's first values, as published


@MODELS.register("labram")
class LaBraM(Encoder, Loadable, Layered, Microvolts, TokenEncoder):
    """Classifier of EEG windows of any channels that have a name in the table.

    Args:
        n_outputs: classes, or 1 for a logit or a value; 0 = features only.
        backbone: arguments of `Backbone`.
        channel_names: names that `channel_ids` index; None = the published list of 128.
        electrodes, geodesic_net: of channels that the published list lacks, see `Backbone`.
        pooling: mean | class.
        amplitude_uv: microvolts that count as 1.
        head_scale: factor of the head's first values.

    Example:
        >>> model = LaBraM(n_outputs=2, backbone={"depth": 1}, channel_names=["FZ", "CZ", "PZ"])
        >>> model(torch.zeros(5, 3, 400)).shape
        torch.Size([5, 2])
    """

    # pre-training ends in a norm of its own and a head over codes; the pooled norm starts anew
    may_be_missing = ("fc_norm.", "norm.", "head.", LEARNED)
    may_be_unexpected = ("mask_token", "lm_head.", "norm.", "head.", LEARNED)
    embedding_names = ("pos_embed", "time_embed")

    def __init__(
        self,
        n_outputs: int,
        backbone: Mapping[str, Any],
        channel_names: Sequence[str] | None = None,
        pooling: str = "mean",
        amplitude_uv: float = AMPLITUDE_UV,
        head_scale: float = HEAD_SCALE,
        electrodes: str = "exact",
        geodesic_net: int | None = None,
    ) -> None:
        options = backbone_options("backbone", backbone)
        places: dict[str, Any] = {"electrodes": electrodes, "geodesic_net": geodesic_net}
        super().__init__(pooling=pooling, channel_names=channel_names, **options, **places)
        self.electrode_rule, self.geodesic_net = electrodes, geodesic_net
        self.amplitude_uv, self.n_layers = amplitude_uv, self.depth + 1
        self.head = nn.Linear(self.width, n_outputs) if n_outputs else nn.Identity()
        self.start()
        # logits start nearly equal, so that the first gradients hardly move the pre-trained blocks
        if isinstance(self.head, nn.Linear):
            with torch.no_grad():
                self.head.weight *= head_scale

    def all_tokens(self, x: Tensor, channel_ids: Tensor | None = None) -> Tensor:
        """Return tokens (B, 1 + C * A, D) before the norm, of a signal (B, C, T) in microvolts."""
        tokens, shape = self.patches(x / self.amplitude_uv)
        return self.encode(tokens, shape, channel_ids)

    def features(self, x: Tensor, channel_ids: Tensor | None = None) -> Tensor:
        """Return the inputs (B, D) of the head, of a signal (B, C, T) in microvolts."""
        return self.pooled(self.all_tokens(x, channel_ids))

    def tokens(
        self,
        x: Tensor,
        channel_ids: Tensor | None = None,
        layer: int | None = None,
        pool: str = "none",
    ) -> Tensor:
        """Return normalised patch tokens (B, C, A, D) of a signal (B, C, T) in microvolts.

        `layer` and `pool` as in `patch_tokens`; after mean pooling, pool=mean is the head's input.
        """
        return self.patch_tokens(x / self.amplitude_uv, channel_ids, layer, pool)

    def forward(self, x: Tensor, channel_ids: Tensor | None = None) -> Tensor:
        """Return logits or values (B, n_outputs).

        Args:
            x: (B, C, T) float32 microvolts, T a whole number of patches.
            channel_ids: (C,) or (B, C) places in `channel_names`; None = all of them in order.
        """
        return self.head(self.features(x, channel_ids))

    def layer_number(self, name: str) -> int:
        """Return the layer of a parameter for layer-wise rates, see `layer_number`."""
        return layer_number(name, self.depth)

    def adapt_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the weights of pre-training; leave those of a classifier as they are.

        A head of other outputs is left out.
        """
        prefix = "student."  # of the network in a pre-training file
        if any(name.startswith(prefix) for name in state):
            state = {n[len(prefix) :]: t for n, t in state.items() if n.startswith(prefix)}
        shapes = {name: tensor.shape for name, tensor in self.state_dict().items()}
        return {
            name: tensor
            for name, tensor in state.items()
            if not (name.startswith("head.") and shapes.get(name, tensor.shape) != tensor.shape)
            and "relative_position_index" not in name  # a constant of older files
        }

"""DeepMel: a learned representation of mel spectrograms (Défossez et al., 2023, section 2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...nn.conv_stack import ConvStack
from .. import MODELS
from ..sections import section_of
from .options import EncoderOptions


@MODELS.register("clip_deep_mel")
class DeepMel(ConvStack):
    """Convolutions over a mel spectrogram, trained with the brain encoder that has to match it.

    Args:
        n_features: F, filters of the spectrogram.
        n_outputs: channels that come out, those of the brain encoder.
        hidden: width.
        encoder: `EncoderOptions`; the last layer has neither norm nor activation.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden: int = 320,
        encoder: Mapping[str, Any] | None = None,
    ) -> None:
        options = section_of(EncoderOptions, encoder, "encoder")
        # the outputs are compared with the encoder's by their scalar product: a last activation
        # would leave them no negative value
        widths = [n_features, *options.widths(hidden)[:-1], n_outputs]
        super().__init__(widths, options, bare_last=True)

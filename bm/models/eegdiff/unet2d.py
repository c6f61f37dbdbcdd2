"""Denoisers of maps: the library's U-Nets with the published arguments as defaults.

Maps are (B, K, frames, bins): EEG channels are image channels (spec eegdiff 3).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from ...registry import check_known


def defaults(cross: bool) -> dict[str, Any]:
    """Published arguments: six levels without text, four with it."""
    if cross:
        return {
            "layers_per_block": 2,
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
            "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
            "cross_attention_dim": 768,
        }
    return {
        "layers_per_block": 2,
        "block_out_channels": (128, 128, 256, 256, 512, 512),
        "down_block_types": (*("DownBlock2D",) * 4, "AttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D", *("UpBlock2D",) * 4),
    }


class MapDenoiser(UNet2DModel):
    """U-Net without text; a condition vector is added to the time embedding."""

    def denoise(
        self, x: Tensor, t: Tensor, vector: Tensor | None, text: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """(B, K, frames, bins) at steps t (B,) -> the prediction, same shape."""
        found: Tensor = self(x, t, class_labels=vector, return_dict=False)[0]
        return found


class TextMapDenoiser(UNet2DConditionModel):
    """U-Net with cross-attention to text states."""

    def denoise(
        self, x: Tensor, t: Tensor, vector: Tensor | None, text: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """(B, K, frames, bins) at steps t (B,) with text (B, L, D) -> the prediction."""
        found: Tensor = self(
            x, t, text, class_labels=vector, encoder_attention_mask=mask, return_dict=False
        )[0]
        return found


def build(kind: Any, cross: bool, shape: tuple[int, ...], vector: bool, given: Mapping) -> Any:
    """A library network for maps of `shape` (K, frames, bins); `given` replaces defaults."""
    known = inspect.signature(kind.__init__).parameters
    for key in given:
        check_known("key of model.network", key, known)
    arguments = {**defaults(cross), **given}
    fixed = {"sample_size": shape, "in_channels": shape[0], "out_channels": shape[0]}
    if vector:
        fixed["class_embed_type"] = "identity"
    return kind(**{**fixed, **arguments})


def map_denoiser(shape: tuple[int, ...], vector: bool, given: Mapping[str, Any]) -> MapDenoiser:
    """`UNet2DModel` with the published arguments unless `given` says otherwise."""
    found: MapDenoiser = build(MapDenoiser, False, shape, vector, given)
    for module in found.modules():
        if isinstance(module, Attention):
            module.register_forward_hook(_in_order)
    return found


def _in_order(module: Attention, given: Any, found: Tensor) -> Tensor:
    """What an attention gives, in the layout of the other layers.

    It comes transposed; the convolutions after it would follow, and turn their large weights and
    gradients round in every step: a quarter of a step of two windows.
    """
    return found.contiguous()


def text_map_denoiser(
    shape: tuple[int, ...], vector: bool, given: Mapping[str, Any]
) -> TextMapDenoiser:
    """`UNet2DConditionModel` with the published arguments unless `given` says otherwise."""
    found: TextMapDenoiser = build(TextMapDenoiser, True, shape, vector, given)
    return found

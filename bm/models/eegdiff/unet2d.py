"""Denoisers of maps: the library's U-Nets with the published arguments as defaults.

Maps are (B, K, frames, bins): EEG channels are image channels, as in Brain-Diffusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from ...registry import check_arguments


def defaults(cross: bool) -> dict[str, Any]:
    """Return the published arguments: six scales without text, four with it."""
    if cross:  # 142,468,841 parameters with 105 channels
        return {
            "layers_per_block": 2,
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
            "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
            "cross_attention_dim": 768,
        }
    return {  # 113,717,014 parameters with 22 channels
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
        """Return the prediction for x (B, K, frames, bins) at noise levels t (B,)."""
        prediction: Tensor = self(x, t, class_labels=vector, return_dict=False)[0]
        return prediction


class TextMapDenoiser(UNet2DConditionModel):
    """U-Net with cross-attention to text states."""

    def denoise(
        self, x: Tensor, t: Tensor, vector: Tensor | None, text: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Return the prediction for x (B, K, frames, bins) at levels t (B,), text (B, L, D)."""
        prediction: Tensor = self(
            x, t, text, class_labels=vector, encoder_attention_mask=mask, return_dict=False
        )[0]
        return prediction


def arguments_of(
    kind: type, shape: tuple[int, ...], vector: bool, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a library network for maps of `shape` (K, frames, bins).

    Args:
        kind: class of the network.
        shape: of a map.
        vector: whether a condition vector is added to the time embedding.
        options: replace the published arguments.
    """
    check_arguments("model.network", kind, options)
    fixed: dict[str, Any] = {"sample_size": shape}
    fixed |= {"in_channels": shape[0], "out_channels": shape[0]}
    if vector:
        # the vector comes from `Conditioning`: the library adds it to the time embedding as it is
        fixed["class_embed_type"] = "identity"
    return {**fixed, **defaults(kind is TextMapDenoiser), **options}


def map_denoiser(shape: tuple[int, ...], vector: bool, options: Mapping[str, Any]) -> MapDenoiser:
    """Build a `UNet2DModel` with the published arguments where `options` has no other."""
    network = MapDenoiser(**arguments_of(MapDenoiser, shape, vector, options))
    for module in network.modules():
        if isinstance(module, Attention):
            module.register_forward_hook(_in_order)
    return network


def _in_order(module: Attention, inputs: object, output: Tensor) -> Tensor:
    """Return the output of an attention in the layout of the other layers.

    It comes transposed; the convolutions after it would follow, and turn their large weights and
    gradients round in every step: a quarter of a step of two windows.
    """
    return output.contiguous()


def text_map_denoiser(
    shape: tuple[int, ...], vector: bool, options: Mapping[str, Any]
) -> TextMapDenoiser:
    """Build a `UNet2DConditionModel` with the published arguments where `options` has no other."""
    return TextMapDenoiser(**arguments_of(TextMapDenoiser, shape, vector, options))

"""Ranges of Brain-Diffusion as published: byte scaling of waves and the training image.

The product has the corrected ranges, in `bm.nn.representation`.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SPAN_UV, DEPTH = 30.0, 255.0  # amplitudes -30..30 uV become 0..255


def byte_range(wave: Tensor, span_uv: float = SPAN_UV, depth: float = DEPTH) -> Tensor:
    """Amplitudes in uV to 0..depth, not clipped; adds a constant of depth / 2."""
    return (wave + span_uv) / (2 * span_uv) * depth


def from_byte_range(
    scaled: Tensor, span_uv: float = SPAN_UV, depth: float = DEPTH, as_published: bool = False
) -> Tensor:
    """Inverse of `byte_range`; `as_published` gives the original's wrong one (4 x gain, offset)."""
    if as_published:
        return scaled / depth * 4 * span_uv
    return scaled / depth * 2 * span_uv - span_uv


def training_image(
    values: Tensor, width: int | None = None, frames: int | None = None, absolute: bool = True
) -> Tensor:
    """2 v - 1 of a map (..., C, frames, F), its first `width` bins, resized in time.

    v is not scaled, as published, although mel maps in dB reach 159.

    Args:
        frames: rows after a bilinear resize with half-pixel centres; None = as they are.
        absolute: take |v| first (all maps but the eight-band one).
    """
    image = values.abs() if absolute else values
    image = image[..., :width]
    if frames is not None and frames != image.shape[-2]:
        lead = image.shape[:-3]
        image = functional.interpolate(
            image.reshape(-1, *image.shape[-3:]),
            (frames, image.shape[-1]),
            mode="bilinear",
            align_corners=False,
        )
        image = image.reshape(*lead, *image.shape[-3:])
    return 2 * image - 1

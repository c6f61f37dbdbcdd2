"""Brant's pre-training: rebuild patches of single channels that are hidden."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...nn.masking import random_mask
from .. import MODELS
from ..contract import SelfSupervised
from .brant import Brant, band_power


@MODELS.register("brant_mae")
class BrantMasked(Brant, SelfSupervised):
    """Encoder of `brant` with a linear head that predicts the samples of hidden patches.

    Hidden patches and their band terms are zero; the loss is their squared error.

    Args:
        n_channels, n_times, rate_hz: of the data.
        mask_ratio: share of all patches of a window that are hidden.
        options: others of `Brant`, the head's excepted.
    """

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        rate_hz: float,
        mask_ratio: float = 0.4,
        patch_samples: int = 200,
        width: int = 768,
        temporal_depth: int = 8,
        spatial_depth: int = 4,
        n_heads: int = 16,
        ff_width: int = 2048,
        max_patches: int = 15,
    ) -> None:
        options: dict[str, Any] = {
            "patch_samples": patch_samples, "width": width, "temporal_depth": temporal_depth,
            "spatial_depth": spatial_depth, "n_heads": n_heads, "ff_width": ff_width,
            "max_patches": max_patches, "hidden": (),
        }  # fmt: skip
        super().__init__(n_channels, n_times, 1, rate_hz, **options)
        self.mask_ratio = mask_ratio
        self.head = nn.Linear(width, patch_samples)  # type: ignore[assignment]

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:  # type: ignore[override]
        """Signal (B, C, T) -> predicted patches (B, C, N, P) where (B, C, N) are hidden."""
        patches = x.unflatten(-1, (-1, self.patch_samples))
        terms = band_power(patches, self.rate_hz).softmax(-1) @ self.bands
        patches = torch.where(hidden[..., None], self.mask_patch, patches)
        terms = torch.where(hidden[..., None], self.mask_power.to(terms.dtype), terms)
        predicted: Tensor = self.head(self.mix(self.embed(patches) + terms))
        return predicted

    def self_losses(self, x: Tensor) -> dict[str, Tensor]:
        """Return the squared error of hidden patches, beside that of zero, their mean."""
        patches = x.unflatten(-1, (-1, self.patch_samples))
        noise = torch.rand(len(x), patches.shape[1] * patches.shape[2], device=x.device)
        hidden = random_mask(noise, self.mask_ratio).unflatten(1, patches.shape[1:3])
        errors = (self(x, hidden).float() - patches).square().mean(-1)
        total = hidden.sum().clamp(min=1)
        return {
            "loss": (errors * hidden).sum() / total,
            "chance_loss": (patches.square().mean(-1) * hidden).sum() / total,
        }

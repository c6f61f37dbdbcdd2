"""Brant: attention along the patches of a channel, then along the channels of a patch.

Zhang et al. (NeurIPS 2023), with the sizes of Du-IN's comparison (2024).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...nn.heads import LinearHead
from ...nn.transformer import truncated_normal
from .. import MODELS
from ..contract import Loadable

#: Edges of the bands (low, high] in Hz; at 200 Hz the last band is empty.
EDGES_HZ = (4.0, 8.0, 13.0, 30.0, 50.0, 70.0, 90.0, 110.0, 128.0)


def band_power(patches: Tensor, rate_hz: float, edges_hz: Sequence[float] = EDGES_HZ) -> Tensor:
    """Logarithm of 1 plus the power in each band of patches (..., P): (..., bands).

    The power is the sum of the bins of a one-sided density periodogram without taper, the mean
    removed (the defaults of `scipy.signal.periodogram`).
    """
    patches = patches.float()
    n_samples = patches.shape[-1]
    spectrum = torch.fft.rfft(patches - patches.mean(-1, keepdim=True))
    density = spectrum.abs().square() / (rate_hz * n_samples)
    last = density.shape[-1] - (1 if n_samples % 2 == 0 else 0)  # half the rate stands once
    density = torch.cat([density[..., :1], 2 * density[..., 1:last], density[..., last:]], -1)
    hertz = torch.fft.rfftfreq(n_samples, 1 / rate_hz, device=patches.device)
    edges = torch.tensor(edges_hz, device=patches.device)
    inside = (hertz > edges[:-1, None]) & (hertz <= edges[1:, None])
    return torch.log10(density @ inside.T.to(density) + 1)


def encoder(width: int, depth: int, n_heads: int, ff_width: int) -> nn.TransformerEncoder:
    """Build torch's post-norm blocks with ReLU and dropout 0.1, as published."""
    block = nn.TransformerEncoderLayer(width, n_heads, ff_width, 0.1, "relu", batch_first=True)
    return nn.TransformerEncoder(block, depth, enable_nested_tensor=False)


@MODELS.register("brant")
class Brant(Loadable):
    """Classifier, published for words in sEEG at 200 Hz with the loss `sigmoid_ce`.

    Its input is the mono-polar signal, which bipolar recordings alone do not give.

    Args:
        n_channels: C.
        n_times: T, samples of a window.
        n_outputs: classes.
        rate_hz: sampling rate, for the bands.
        patch_samples: P.
        width: D; tiny 768, small 1024, medium 1280, large 2048.
        temporal_depth, spatial_depth, n_heads, ff_width: of the blocks; tiny and small 8 + 4 and
            2048, medium and large 12 + 5 and 3072.
        max_patches: rows of the position table.
        hidden: widths of the head's hidden layers, without activation.
    """

    may_be_missing = ("head.",)
    may_be_unexpected = ("head.",)
    mask_patch: Tensor
    mask_power: Tensor

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        n_outputs: int,
        rate_hz: float,
        patch_samples: int = 200,
        width: int = 768,
        temporal_depth: int = 8,
        spatial_depth: int = 4,
        n_heads: int = 16,
        ff_width: int = 2048,
        max_patches: int = 15,
        hidden: Sequence[int] = (128,),
    ) -> None:
        super().__init__()
        n_patches, rest = divmod(n_times, patch_samples)
        if rest or not 0 < n_patches <= max_patches:
            raise UserError(
                f"windows of {n_times} samples: must be 1 to {max_patches} patches of "
                f"{patch_samples} samples; change dset.segment.duration_s"
            )
        self.patch_samples, self.rate_hz = patch_samples, rate_hz
        self.embed = nn.Linear(patch_samples, width)
        self.bands = nn.Parameter(truncated_normal(torch.empty(len(EDGES_HZ) - 1, width)))
        self.places = nn.Parameter(truncated_normal(torch.empty(max_patches, width)))
        # what stands for a hidden patch and its band term in pre-training: zeros, never trained
        self.register_buffer("mask_patch", torch.zeros(patch_samples))
        self.register_buffer("mask_power", torch.zeros(width))
        self.temporal = encoder(width, temporal_depth, n_heads, ff_width)
        self.spatial = encoder(width, spatial_depth, n_heads, ff_width)
        self.head = LinearHead(n_channels * n_patches * width, n_outputs, hidden, rectified=False)

    def encode(self, patches: Tensor, power: Tensor) -> Tensor:
        """Patches (B, C, N, P) and their band power (B, C, N, bands) -> tokens (B, C, N, D)."""
        return self.mix(self.embed(patches) + power.softmax(-1) @ self.bands)

    def mix(self, tokens: Tensor) -> Tensor:
        """Tokens (B, C, N, D) -> the same, along the patches of a channel, then the channels."""
        tokens = tokens + self.places[: tokens.shape[2]]
        shape = tokens.shape[:2]
        tokens = self.temporal(tokens.flatten(0, 1)).unflatten(0, shape).transpose(1, 2)
        shape = tokens.shape[:2]
        return self.spatial(tokens.flatten(0, 1)).unflatten(0, shape).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 mono-polar signal -> logits (B, n_outputs)."""
        patches = x.unflatten(-1, (-1, self.patch_samples))
        tokens = self.encode(patches, band_power(patches, self.rate_hz))
        return self.head(tokens.flatten(1))

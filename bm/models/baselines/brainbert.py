"""BrainBERT: spectrograms of single channels, all channels classified together.

Rebuilt from the equations of Wang et al. (ICLR 2023) and the sizes of Du-IN's comparison (2024).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...nn.heads import LinearHead
from ...nn.sinusoids import sinusoids
from ...nn.stft import STFT
from .. import MODELS
from ..contract import Loadable

TINY = 1e-8  # beside the deviation over time of a bin, which is 0 in a silent channel


class ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, factor: float) -> Tensor:  # type: ignore[override]
        """Return x (...)."""
        ctx.factor = factor  # type: ignore[attr-defined]
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """Scale the gradient."""
        return grad * ctx.factor, None  # type: ignore[attr-defined]


class SpectrumEncoder(nn.Module):
    """Frames of one spectrogram through a transformer.

    Args:
        bins: lowest frequencies that are seen.
        width: D.
        depth, n_heads, ff_width, dropout: of the blocks.
        max_frames: rows of the time table, which published files hold.
    """

    table: Tensor

    def __init__(
        self,
        bins: int,
        width: int,
        depth: int,
        n_heads: int,
        ff_width: int,
        dropout: float,
        max_frames: int,
    ) -> None:
        super().__init__()
        self.input, self.norm = nn.Linear(bins, width), nn.LayerNorm(width)
        self.register_buffer("table", sinusoids(torch.arange(max_frames), width))
        self.dropout = nn.Dropout(dropout)
        block = nn.TransformerEncoderLayer(
            width, n_heads, ff_width, dropout, "gelu", batch_first=True
        )
        self.blocks = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """(N, frames, bins) -> (N, frames, D)."""
        frames = self.norm(self.input(spectrograms)) + self.table[: spectrograms.shape[1]]
        return self.blocks(self.dropout(frames))


@MODELS.register("brainbert")
class BrainBERT(Loadable):
    """Classifier over the centre frames of every channel's spectrogram.

    Published for words in sEEG at 1000 Hz with the loss `sigmoid_ce`. The article of Du-IN names
    windows of 1600 and an overlap of 1400 samples; its code has the 200 and 175 here.

    Args:
        n_channels: C.
        n_outputs: classes.
        window, hop: samples of the Hann window, and between frames.
        bins, width, depth, n_heads, ff_width, dropout, max_frames: of `SpectrumEncoder`; small is
            384 / 3 blocks / 1200, base 768 / 3 / 3072, large 768 / 6 / 3072.
        centre: first and last frame of the mean, relative to the middle one.
        hidden: widths of the head's hidden layers, with ReLU.
        gradient_scale: factor of the gradient that reaches the encoder.
    """

    may_be_missing = ("head.",)
    may_be_unexpected = ("head.",)

    def __init__(
        self,
        n_channels: int,
        n_outputs: int,
        window: int = 200,
        hop: int = 25,
        bins: int = 40,
        width: int = 768,
        depth: int = 6,
        n_heads: int = 12,
        ff_width: int = 3072,
        dropout: float = 0.1,
        max_frames: int = 5000,
        centre: tuple[int, int] = (-5, 5),
        hidden: Sequence[int] = (128,),
        gradient_scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.stft, self.bins = STFT(window, hop), bins
        self.centre, self.gradient_scale = tuple(centre), gradient_scale
        self.encoder = SpectrumEncoder(bins, width, depth, n_heads, ff_width, dropout, max_frames)
        self.head = LinearHead(width * n_channels, n_outputs, hidden)

    def spectrogram(self, x: Tensor) -> Tensor:
        """Signal (B, C, T) -> magnitudes (B, C, frames, bins), standardised over time."""
        magnitudes = self.stft(x.float())[..., : self.bins].abs()
        deviation, mean = torch.std_mean(magnitudes, -2, correction=0, keepdim=True)
        return (magnitudes - mean) / (deviation + TINY)

    def classify(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms (B, C, frames, bins) -> logits (B, n_outputs)."""
        frames = self.encoder(spectrograms.flatten(0, 1))
        frames = ScaledGradient.apply(frames, self.gradient_scale)
        middle = frames.shape[1] // 2
        first, last = middle + self.centre[0], middle + self.centre[1]
        centre = frames[:, max(0, first) : last].mean(1)  # (B * C, D)
        return self.head(centre.unflatten(0, (len(spectrograms), -1)).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) float32 -> logits (B, n_outputs)."""
        return self.classify(self.spectrogram(x))

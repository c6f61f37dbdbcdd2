"""BrainBERT's pre-training: rebuild stripes of a channel's spectrogram that are hidden."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...nn.stft import STFT
from .. import MODELS
from ..contract import SelfSupervised
from .brainbert import TINY, SpectrumEncoder

#: Of hidden stripes: share that becomes zero, and that becomes another stripe; the rest stays.
ZEROED, REPLACED = 0.8, 0.1


def stripes(count: int, size: int, chance: float, widths: tuple[int, int]) -> Tensor:
    """Draw which of `size` lines of `count` spectrograms are hidden: (count, size) bool.

    A stripe begins at each line with probability `chance`; its width is uniform in `widths`.
    """
    starts = torch.rand(count, size) < chance
    lengths = torch.randint(widths[0], widths[1] + 1, (count, size))
    hidden = torch.zeros(count, size, dtype=torch.bool)
    for offset in range(widths[1]):
        begun = starts & (lengths > offset)
        hidden[:, offset:] |= begun[:, : size - offset]
    return hidden


def hide(values: Tensor, hidden: Tensor) -> Tensor:
    """Return (N, L, F) with hidden lines (N, L) zeroed, replaced by another line, or left."""
    draw = torch.rand(hidden.shape, device=values.device)
    zeroed = hidden & (draw < ZEROED)
    replaced = hidden & (draw >= ZEROED) & (draw < ZEROED + REPLACED)
    others = torch.randint(values.shape[1], hidden.shape, device=values.device)
    other = values.gather(1, others[..., None].expand_as(values))
    changed = torch.where(replaced[..., None], other, values)
    return changed.masked_fill(zeroed[..., None], 0.0)


@MODELS.register("brainbert_mae")
class BrainBERTMasked(SelfSupervised):
    """Encoder of `brainbert` with a head that predicts the cells of hidden stripes.

    Every channel is a spectrogram of its own. Stripes in time have 1 to 4 frames, stripes in
    frequency one bin; the loss is the squared error of the cells in any stripe.

    Args:
        window, hop, bins, width, depth, n_heads, ff_width, dropout, max_frames: as in `BrainBERT`.
        hide_chance: probability that a stripe begins at a frame, and at a bin.
        hide_frames: smallest and largest width of a stripe in time.
    """

    def __init__(
        self,
        window: int = 200,
        hop: int = 25,
        bins: int = 40,
        width: int = 768,
        depth: int = 6,
        n_heads: int = 12,
        ff_width: int = 3072,
        dropout: float = 0.1,
        max_frames: int = 5000,
        hide_chance: float = 0.1,
        hide_frames: tuple[int, int] = (1, 4),
    ) -> None:
        super().__init__()
        self.stft, self.bins = STFT(window, hop), bins
        self.chance, self.widths = hide_chance, (int(hide_frames[0]), int(hide_frames[1]))
        self.encoder = SpectrumEncoder(bins, width, depth, n_heads, ff_width, dropout, max_frames)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, bins)
        )

    def spectrogram(self, x: Tensor) -> Tensor:
        """Signal (B, C, T) -> magnitudes (B * C, frames, bins), standardised over time."""
        magnitudes = self.stft(x.float())[..., : self.bins].abs()
        deviation, mean = torch.std_mean(magnitudes, -2, correction=0, keepdim=True)
        return ((magnitudes - mean) / (deviation + TINY)).flatten(0, 1)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Spectrograms (N, frames, bins) -> the same, predicted."""
        predicted: Tensor = self.head(self.encoder(spectrograms))
        return predicted

    def self_losses(self, x: Tensor) -> dict[str, Tensor]:
        """Return the squared error of hidden cells, beside that of the mean over time."""
        whole = self.spectrogram(x)
        count, frames, bins = whole.shape
        in_time = stripes(count, frames, self.chance, self.widths).to(x.device)
        in_bins = stripes(count, bins, self.chance, (1, 1)).to(x.device)
        changed = hide(hide(whole, in_time).transpose(1, 2), in_bins).transpose(1, 2)
        cells = in_time[:, :, None] | in_bins[:, None, :]
        errors = (self(changed).float() - whole).square()
        total = cells.sum().clamp(min=1)
        return {
            "loss": (errors * cells).sum() / total,
            "chance_loss": (whole.square() * cells).sum() / total,
        }

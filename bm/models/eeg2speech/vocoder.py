"""Vocoder: log-mel spectra to sound by HiFi-GAN (Kong et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .. import MODELS
from ..contract import Described
from .networks import VocoderSizes, build_vocoder


@MODELS.register("eeg2speech_vocoder")
class Vocoder(Described, nn.Module):
    """HiFi-GAN generator; 55,264,897 parameters at the published sizes.

    Args:
        n_mels, width, upsample_rates, upsample_kernels, block_kernels, block_dilations: see
            `VocoderSizes`.
        sound_hz: rate of the sound; not `rate_hz`, which data fill with that of the signals.
    """

    def __init__(
        self,
        n_mels: int = 64,
        sound_hz: int = 16000,
        width: int = 1024,
        upsample_rates: Sequence[int] = (5, 4, 2, 2, 2),
        upsample_kernels: Sequence[int] = (16, 16, 8, 4, 4),
        block_kernels: Sequence[int] = (3, 7, 11),
        block_dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    ) -> None:
        super().__init__()
        self.sizes = VocoderSizes(
            n_mels, sound_hz, width, tuple(upsample_rates), tuple(upsample_kernels),
            tuple(block_kernels), tuple(tuple(d) for d in block_dilations),
        )  # fmt: skip
        self.network = build_vocoder(self.sizes)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return all samples (B, n) that log-mel (B, frames, n_mels) gives.

        With the published sizes n is 32 more than hop x frames.
        """
        wave: Tensor = self.network(log_mel)
        return wave

    def sound(self, log_mel: Tensor) -> Tensor:
        """Return sound (B, frames * hop) of log-mel (B, frames, n_mels): surplus is cut off."""
        return self(log_mel)[:, : log_mel.shape[1] * self.sizes.hop]

"""MelAutoencoder: log-mel spectra to latents and back, the first stage of latent diffusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...facts import DataFacts
from ...losses.adversarial import mean_kl
from ...registry import check_arguments
from .. import MODELS
from ..contract import Described
from .audio import AudioSettings, LogMel
from .networks import AutoencoderSizes, build_autoencoder

# As in AudioLDM and latent diffusion (Rombach et al. 2022): sd from 3e-7 to 22026.
LOG_VARIANCE = (-30.0, 20.0)  # range to which it is cut


@dataclass(frozen=True)
class Posterior:
    """Normal distribution of latents (B, C, T, F).

    Attributes:
        mean, log_variance: of each element.
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, moments: Tensor) -> Posterior:
        """Return the posterior of moments (B, 2 C, T, F)."""
        mean, log_variance = moments.chunk(2, 1)
        return cls(mean, log_variance.clamp(*LOG_VARIANCE))

    @property
    def sd(self) -> Tensor:
        """Standard deviations."""
        return (0.5 * self.log_variance).exp()

    def sample(self, noise: Tensor) -> Tensor:
        """Return latents with unit noise (B, C, T, F)."""
        return self.mean + self.sd * noise

    def kl(self) -> Tensor:
        """Return the divergence from the unit normal, mean over elements: (B,)."""
        return mean_kl(self.mean, self.log_variance)


def audio_settings(options: Mapping[str, Any] | None) -> AudioSettings:
    """Return the settings of a `model.audio` section; raise `UserError` for an unknown key."""
    check_arguments("model.audio", AudioSettings, options or {})
    return AudioSettings(**(options or {}))


@MODELS.register("eeg2speech_autoencoder")
class MelAutoencoder(Described, nn.Module):
    """AudioLDM's first stage; 55,376,873 parameters at the published sizes.

    Args:
        audio: settings of the front-end, see `AudioSettings`; None = published.
        width, multipliers, n_blocks, latent_channels, channels, groups: see `AutoencoderSizes`.
    """

    def __init__(
        self,
        audio: Mapping[str, Any] | None = None,
        width: int = 128,
        # Three levels halve twice: 1024 frames x 64 bands become 8 x 256 x 16.
        multipliers: Sequence[int] = (1, 2, 4),
        n_blocks: int = 2,
        latent_channels: int = 8,
        channels: Sequence[int] = (1, 1),
        groups: int = 32,
    ) -> None:
        super().__init__()
        self.audio = audio_settings(audio)
        self.sizes = AutoencoderSizes(
            width, tuple(multipliers), n_blocks, latent_channels, (channels[0], channels[1]), groups
        )
        factor = self.sizes.factor
        if self.audio.frames % factor or self.audio.bands % factor:
            raise UserError(
                f"model.audio: {self.audio.frames} frames of {self.audio.bands} bands; both must "
                f"be multiples of {factor}, by which the autoencoder reduces them"
            )
        self.mel = LogMel(self.audio)
        self.network = build_autoencoder(self.sizes)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, steps and bands of the latent of a clip."""
        factor = self.sizes.factor
        return self.sizes.latent_channels, self.audio.frames // factor, self.audio.bands // factor

    @property
    def last_weight(self) -> Tensor:
        """Weight of the decoder's last layer."""
        network: Any = self.network
        weight: Tensor = network.decoder.conv_out.weight
        return weight

    def maps(self, wave: Tensor) -> Tensor:
        """Return log-mel maps (B, 1, frames, bands) of sounds (B, n) at the front-end's rate."""
        return self.mel.clip(wave)[:, None]

    def moments(self, maps: Tensor) -> Tensor:
        """Return moments (B, 2 C, T, F) of maps (B, 1, frames, bands)."""
        network: Any = self.network
        moments: Tensor = network.quant_conv(network.encoder(maps))
        return moments

    def encode(self, maps: Tensor) -> Posterior:
        """Return the posterior of maps (B, 1, frames, bands)."""
        # In float32, as a variance of exp(20) = 4.9e8 overflows float16 (65504).
        return Posterior.of(self.moments(maps).float())

    def decode(self, latents: Tensor) -> Tensor:
        """Return maps (B, 1, frames, bands) of latents (B, C, T, F)."""
        network: Any = self.network
        # No tanh at the end: log-mel values go down to ln(1e-5) = -11.5.
        maps: Tensor = network.decoder(network.post_quant_conv(latents))
        return maps

    def forward(self, maps: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Posterior]:
        """Return maps rebuilt from a sample of the posterior, and the posterior.

        Args:
            maps: (B, 1, frames, bands).
            noise: (B, C, T, F) unit normal; None = it is drawn.
        """
        posterior = self.encode(maps)
        noise = torch.randn_like(posterior.mean) if noise is None else noise
        return self.decode(posterior.sample(noise)), posterior

    def description(self, facts: DataFacts) -> list[str]:
        """Return what is compressed to what."""
        channels, steps, bands = self.latent_shape
        return [
            f"log-mel of {self.audio.frames} frames x {self.audio.bands} bands "
            f"({self.audio.duration_s:g} s at {self.audio.rate_hz} Hz) to {channels} x {steps} x "
            f"{bands} and back"
        ]

"""Sampling of sound: latents from noise under a condition, decoded, then made audible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from ...nn.sampling import SAMPLERS, Noise, Path, even_steps, last, steps_of
from ...registry import check_known
from .audio import griffin_lim
from .autoencoder import MelAutoencoder
from .latent import LatentDiffusion
from .vocoder import Vocoder

PEAK = 0.8  # of a generated sound, as published


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampling; the published ones by default.

    Attributes:
        sampler: ddim, ddpm or dpm.
        steps: noise levels that are visited.
        eta: noise of ddim; 1 as published.
        guidance: see `LatentDiffusion.denoiser`.
        clip: must be false: latents have no limit.
        batch_size: items at a time; changes memory and speed only.
    """

    sampler: str = "ddim"
    steps: int = 200
    eta: float = 1.0
    guidance: float = 3.5
    clip: bool = False
    batch_size: int = 16

    def __post_init__(self) -> None:
        check_known("generate.sampler", self.sampler, SAMPLERS)
        if self.clip:
            raise UserError("generate.clip=true: latents have no limit; set it to false")
        if self.batch_size < 1 or not 0 <= self.eta <= 1 or not math.isfinite(self.guidance):
            raise UserError(f"generate: batch_size from 1, eta 0 to 1, guidance finite ({self})")

    def path(self, model: LatentDiffusion, noise: Noise) -> Path:
        """Return the levels and the noise with which to sample."""
        try:
            if self.sampler == "dpm":
                steps = even_steps(model.noise, self.steps)
            else:
                steps = steps_of(model.noise, self.steps, offset=1)
        except ValueError as error:
            raise UserError(f"generate.steps: {error}") from None
        return Path(steps, noise, self.eta, None)


@torch.no_grad()
def generate_latents(
    model: LatentDiffusion, conditions: Tensor, seeds: Sequence[int], sampling: Sampling
) -> Tensor:
    """Generate latents (N, C, T, F), unscaled, for conditions; an item depends on its seed alone.

    Args:
        model: put in evaluation mode for the time.
        conditions: (N, D) or (N, T', D).
        seeds: one per item.
        sampling: how.
    """
    if not math.isfinite(float(model.scale)):
        raise RuntimeError("the scale of the latents was never measured")
    training, parts = model.training, []
    model.eval()
    try:
        for first in range(0, len(seeds), sampling.batch_size):
            some = slice(first, first + sampling.batch_size)
            noise = Noise.seeded(list(seeds[some]))
            like = torch.empty(len(seeds[some]), *model.latent_shape, device=model.device)
            # one pass of twice the batch fills a GPU better; a processor is full with one
            together = model.device.type == "cuda"
            denoise = model.denoiser(conditions[some].to(model.device), sampling.guidance, together)
            x = noise.like(like)
            sampler = SAMPLERS[sampling.sampler]
            parts.append(last(sampler(denoise, x, sampling.path(model, noise))))
    finally:
        model.train(training)
    return torch.cat(parts) / model.scale


@torch.no_grad()
def audible(autoencoder: MelAutoencoder, vocoder: Vocoder | None, maps: Tensor) -> Tensor:
    """Return sounds (N, samples) of maps (N, 1, frames, bands), each with a peak of 0.8.

    Args:
        autoencoder: its front-end inverts the maps where there is no vocoder (Griffin-Lim).
        vocoder: of the same mel setting, or None.
        maps: log-mel.
    """
    log_mel = maps[:, 0].float()
    wave = vocoder.sound(log_mel) if vocoder else griffin_lim(autoencoder.mel, log_mel)
    wave = wave.float()[:, : autoencoder.audio.samples]
    return wave / wave.abs().amax(1, keepdim=True).clamp_min(1e-8) * PEAK


def check_vocoder(autoencoder: MelAutoencoder, vocoder: Vocoder) -> None:
    """Raise `UserError` when a vocoder makes sound of another mel setting."""
    audio, sizes = autoencoder.audio, vocoder.sizes
    pairs = {
        "rate_hz": (sizes.rate_hz, audio.rate_hz),
        "bands": (sizes.n_mels, audio.bands),
        "hop": (sizes.hop, audio.hop),
    }
    wrong = [f"{n} {a}, not {b}" for n, (a, b) in pairs.items() if a != b]
    if wrong:
        raise UserError(f"solver.vocoder: its {'; '.join(wrong)} as the autoencoder has it")

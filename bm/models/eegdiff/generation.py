"""From a trained model to waves: start noise per item, a sampler, the inverse representation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from ...nn.sampling import SAMPLERS, Noise, Path, even_steps, last, steps_of
from ...registry import check_known
from .conditioning import Condition
from .model import EEGDiffusion


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes:
        sampler: ddpm, ddim or dpm.
        steps: network evaluations (twice as many with guidance).
        eta: noise of ddim; 0 none, 1 as ddpm.
        guidance: see `EEGDiffusion.denoiser`.
        clip: keep predictions within the range of the training images.
        batch_size: items at a time; changes memory and speed only.
    """

    sampler: str = "ddim"
    steps: int = 50
    eta: float = 0.0
    guidance: float = 1.0
    clip: bool = True
    batch_size: int = 64

    def path(self, model: EEGDiffusion, noise: Noise) -> Path:
        """Levels, noise and clipping of this way of sampling `model`.

        Raises:
            UserError: unknown sampler, or more steps than noise levels.
        """
        check_known("generate.sampler", self.sampler, SAMPLERS)
        try:
            rule = even_steps if self.sampler == "dpm" else steps_of
            steps = rule(model.noise, self.steps)
        except ValueError as error:
            raise UserError(f"generate.steps: {error}") from None
        limit = float(model.representation.limit) if self.clip else None
        if limit is not None and not math.isfinite(limit):
            raise RuntimeError("the representation has no statistics: call representation.fit")
        return Path(steps, noise, self.eta, limit)


@torch.no_grad()
def generate_images(
    model: EEGDiffusion, seeds: list[int], sampling: Sampling, condition: Condition | None = None
) -> Tensor:
    """Images (len(seeds), *shape), one per seed; an item does not depend on the others."""
    like = torch.empty(len(seeds), *model.representation.shape, device=_device(model))
    noise = Noise.seeded(seeds)
    start = noise.like(like)
    path = sampling.path(model, noise)
    denoise = model.denoiser(condition, sampling.guidance)
    return last(SAMPLERS[sampling.sampler](denoise, start, path))


@torch.no_grad()
def generate_waves(
    model: EEGDiffusion, seeds: list[int], sampling: Sampling, condition: Condition | None = None
) -> Tensor:
    """Waves (len(seeds), C, T) in the unit of the training data, on the device of the model.

    The model is put in evaluation mode for the time.
    """
    condition, training = condition or Condition(), model.training
    model.eval()
    found = []
    try:
        for start in range(0, len(seeds), sampling.batch_size):
            stop = min(len(seeds), start + sampling.batch_size)
            part = condition.rows(start, stop).to(_device(model))
            images = generate_images(model, seeds[start:stop], sampling, part)
            found.append(model.waves(images, seeds[start:stop]))
    finally:
        model.train(training)
    return torch.cat(found)


def _device(model: EEGDiffusion) -> torch.device:
    return model.representation.limit.device

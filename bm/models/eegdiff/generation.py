"""Sampling of waves: start noise per item, a sampler, the inverse representation.

Waves can be denoised (the sampler starts at a later level) or completed (a part stays fixed).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...nn.flow import EVALUATIONS, FLOW_SAMPLERS, FlowSteps
from ...nn.noise import NoiseSchedule
from ...nn.sampling import SAMPLERS, Noise, Path, Steps, even_steps, steps_of
from ...registry import check_known
from .conditioning import Condition
from .model import EEGDiffusion

#: called after every step with what it has added, in waves: the sum is the number of waves.
Tick = Callable[[float], None]


def item_seeds(seed: int, n: int) -> list[int]:
    """Return seeds of n items: n distinct numbers below 2^32, elsewhere for every `seed`.

    Counting from `seed` itself would give the runs of seeds 0 and 1 all items but one in common.
    """
    first = int(np.random.SeedSequence(seed).generate_state(1)[0])
    return [(first + item) % 2**32 for item in range(n)]


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampling.

    Attributes:
        sampler: ddpm, ddim or dpm; euler, heun or midpoint along straight paths.
        steps: network evaluations (twice as many with guidance).
        eta: noise of ddim; 0 none, 1 as ddpm.
        guidance: see `EEGDiffusion.denoiser`.
        clip: keep predictions within the range of the training images; straight paths: at the end.
        batch_size: items at a time; changes memory and speed only.
    """

    sampler: str = "ddim"
    steps: int = 50
    eta: float = 0.0
    guidance: float = 1.0
    clip: bool = True  # as published
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"generate.batch_size={self.batch_size}: at least 1")
        if not 0 <= self.eta <= 1:
            raise UserError(f"generate.eta={self.eta}: 0 (deterministic) to 1 (as ddpm)")
        if not math.isfinite(self.guidance):
            raise UserError(f"generate.guidance={self.guidance}: not a finite number")

    def path(self, model: EEGDiffusion, noise: Noise) -> Path:
        """Return the levels, noise and clipping with which to sample `model`.

        Raises:
            UserError: unknown sampler, or more steps than noise levels.
        """
        if not isinstance(model.noise, NoiseSchedule):
            raise TypeError("a model of straight paths is sampled by flow_steps")
        check_sampler(self.sampler, SAMPLERS, "a chain of noise levels")
        try:
            # equal steps of t would leave DPM-Solver few steps where the signal appears
            rule = even_steps if self.sampler == "dpm" else steps_of
            steps = rule(model.noise, self.steps)
        except ValueError as error:
            raise UserError(f"generate.steps: {error}") from None
        limit = limit_of(model)
        return Path(steps, noise, self.eta, limit if self.clip else None)

    def flow_steps(self) -> FlowSteps:
        """Return the times at which to sample a model of straight paths.

        Raises:
            UserError: another kind of sampler, or evaluations that make no whole number of steps.
        """
        check_sampler(self.sampler, FLOW_SAMPLERS, "model.noise.path=linear")
        try:
            return FlowSteps.even(self.steps, EVALUATIONS[self.sampler])
        except ValueError as error:
            raise UserError(f"generate.steps: {error} with sampler {self.sampler}") from None


def check_sampler(name: str, fitting: Mapping[str, object], path: str) -> None:
    """Raise `UserError` for an unknown sampler, or one for the other way from data to noise."""
    check_known("generate.sampler", name, [*SAMPLERS, *FLOW_SAMPLERS])
    if name not in fitting:
        raise UserError(f"generate.sampler={name}: the model has {path}; use {', '.join(fitting)}")


def limit_of(model: EEGDiffusion) -> float:
    """Return the largest |value| of a training image."""
    limit = float(model.representation.limit)
    if not math.isfinite(limit):  # nan would pass through clamp, and make all waves nan
        raise RuntimeError("the representation has no statistics: call representation.fit")
    return limit


@dataclass(frozen=True)
class Start:
    """Waves to start from, or of which a part stays fixed.

    Brain-Diffusion describes both, but its code for them fails on undefined names.

    Attributes:
        waves: (N, C, T) in the unit of the training data.
        skipped: steps left out at the noisy end: 0 starts from noise alone, one less than there
            are changes the least.
        mask: (n_times,) true at samples that stay as they are; None = none.
        channels: (C,) true at channels that stay as they are; None = none.
    """

    waves: Tensor
    skipped: int = 0
    mask: Tensor | None = None
    channels: Tensor | None = None

    def fixed(self, model: EEGDiffusion) -> Tensor | None:
        """Return where images stay as they are, bool to broadcast; None = nowhere.

        Raises:
            UserError: a part is to be kept, and the representation has no such parts.
        """
        masks, representation = [], model.representation
        if not representation.local and not (self.mask is None and self.channels is None):
            raise UserError(
                "keep_s, keep_channels: the model diffuses whitened waves, of which every value "
                "depends on all samples and channels; use a model of representation wave"
            )
        if self.mask is not None:
            masks.append(representation.image_mask(self.mask.to(model.device)))
        if self.channels is not None:
            masks.append(representation.channel_mask(self.channels.to(model.device)))
        return None if not masks else masks[0] | masks[-1]

    def rows(self, start: int, stop: int) -> Start:
        """Return the start of items start..stop."""
        return replace(self, waves=self.waves[start:stop])

    def begin(self, model: EEGDiffusion, noise: Tensor, path: Path) -> tuple[Tensor, Path]:
        """Return images (N, *shape) at the first level visited, and the path from there.

        The fixed part follows the images of the waves with the start noise at every level, so
        that it fits the rest, and is as it was at the end.

        Raises:
            UserError: no step is left.
        """
        count = len(path.steps.t) - self.skipped
        if self.skipped < 0 or count < 1:
            most = len(path.steps.t) - 1
            raise UserError(f"start_step={self.skipped}: 0 (noise) to {most} (the last step)")
        images = model.images(self.waves.to(noise.device))
        # the levels are in ascending order, samplers walk down: the last ones are left out
        steps = Steps(*(v[:count] for v in (path.steps.t, path.steps.abar, path.steps.before)))

        def noisy(abar: float) -> Tensor:
            return abar**0.5 * images + (1 - abar) ** 0.5 * noise

        first = float(steps.abar[-1])
        start = noisy(first) if self.skipped else noise
        mask = self.fixed(model)
        if mask is None:
            return start, replace(path, steps=steps)

        def fix(x: Tensor, abar: float) -> Tensor:
            return torch.where(mask, noisy(abar), x)

        return fix(start, first), replace(path, steps=steps, edit=fix)

    def begin_flow(
        self, model: EEGDiffusion, noise: Tensor, steps: FlowSteps
    ) -> tuple[Tensor, FlowSteps]:
        """Return images (N, *shape) at the first time of straight paths, and the times from there.

        As `begin` of a chain of levels.
        """
        if not 0 <= self.skipped < len(steps):
            raise UserError(f"start_step={self.skipped}: 0 (noise) to {len(steps) - 1}")
        images = model.images(self.waves.to(noise.device))
        times = steps.times[self.skipped :]

        def noisy(s: float) -> Tensor:
            return (1 - s) * images + s * noise

        start = noisy(float(times[0]))
        mask = self.fixed(model)
        if mask is None:
            return start, FlowSteps(times)

        def fix(x: Tensor, s: float) -> Tensor:
            return torch.where(mask, noisy(s), x)

        return fix(start, float(times[0])), FlowSteps(times, fix)


@torch.no_grad()
def generate_images(
    model: EEGDiffusion,
    seeds: list[int],
    sampling: Sampling,
    condition: Condition | None = None,
    start: Start | None = None,
    tick: Tick | None = None,
    x: Tensor | None = None,
) -> Tensor:
    """Generate images (len(seeds), *shape), one per seed; an item does not depend on others.

    `x` (len(seeds), *shape) is start noise in the place of that of the seeds.
    """
    like = torch.empty(len(seeds), *model.representation.shape, device=model.device)
    noise = Noise.seeded(seeds)
    x = noise.like(like) if x is None else x.to(like)
    if not model.noise_is_chain:
        return _flow_images(model, x, sampling, condition, start, tick)
    path = sampling.path(model, noise)
    if start is not None:
        x, path = start.begin(model, x, path)
    denoise = model.denoiser(condition, sampling.guidance)
    for reached in SAMPLERS[sampling.sampler](denoise, x, path):
        x = reached
        if tick is not None:
            tick(len(seeds) / len(path.steps.t))
    return x


def _flow_images(
    model: EEGDiffusion,
    x: Tensor,
    sampling: Sampling,
    condition: Condition | None,
    start: Start | None,
    tick: Tick | None,
) -> Tensor:
    """Generate images along straight paths, from start noise x (N, *shape)."""
    steps, limit = sampling.flow_steps(), limit_of(model)
    if start is not None:
        x, steps = start.begin_flow(model, x, steps)
    count = len(x)
    for reached in FLOW_SAMPLERS[sampling.sampler](
        model.denoiser(condition, sampling.guidance), x, steps
    ):
        x = reached
        if tick is not None:
            tick(count / len(steps))
    return x.clamp(-limit, limit) if sampling.clip else x


@torch.no_grad()
def generate_waves(
    model: EEGDiffusion,
    seeds: list[int],
    sampling: Sampling,
    condition: Condition | None = None,
    start: Start | None = None,
    tick: Tick | None = None,
    finish: Callable[[Tensor, list[int]], Tensor] | None = None,
) -> Tensor:
    """Generate waves (len(seeds), C, T) in the unit of the training data.

    The model is put in evaluation mode for the time.

    Args:
        model: with the statistics of its representation.
        seeds: one per wave.
        sampling: how.
        condition: of all waves.
        start: waves to start from, one per seed; None = from noise.
        tick: called after every step.
        finish: (images (n, *shape), seeds) -> (n, ...) in the place of waves; None = waves.

    Returns:
        on the device of the model.
    """
    condition, training = condition or Condition(), model.training
    model.eval()
    parts = []
    try:
        for first in range(0, len(seeds), sampling.batch_size):
            stop = min(len(seeds), first + sampling.batch_size)
            part = condition.rows(first, stop).to(model.device)
            rows = None if start is None else start.rows(first, stop)
            images = generate_images(model, seeds[first:stop], sampling, part, rows, tick)
            parts.append((finish or model.waves)(images, seeds[first:stop]))
    finally:
        model.train(training)  # a solver generates between two epochs
    return torch.cat(parts)

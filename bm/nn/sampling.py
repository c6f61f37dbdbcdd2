"""Samplers of diffusion models: DDPM, DDIM and its inversion, DPM-Solver++.

All take `denoise(x, t) -> eps` (x (B, ...), t (B,) int64, eps the predicted noise) and yield x
after every step. S steps visit t = k * floor(T / S) (+ offset), k = S-1..0: the "leading"
spacing of diffusers. DPM-Solver does better with equal steps of the log signal-to-noise ratio.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .item_noise import item_generators
from .noise import NoiseSchedule

Denoise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Steps:
    """Noise levels that a sampler visits, ascending, float64.

    Attributes:
        t: (S,) int64.
        abar: (S,) abar at t.
        before: (S,) abar at the level reached from t.
    """

    t: Tensor
    abar: Tensor
    before: Tensor

    def sigmas(self, eta: float) -> Tensor:
        """Return (S,) deviations of the noise that DDIM adds (Song et al. 2021, equation 16)."""
        a, p = self.abar, self.before
        return eta * ((1 - p) / (1 - a) * (1 - a / p)).clamp(min=0).sqrt()


def steps_of(schedule: NoiseSchedule, count: int, offset: int = 0) -> Steps:
    """Return the levels of `count` steps.

    Args:
        schedule: of the training.
        count: S; where T / S is no whole number, as many steps more as fit are taken when
            `offset` is 1 (the rule of eeg2speech), else S.
        offset: 0: the last step reaches abar = 1 (Brain-Diffusion); 1: levels lie one higher and
            the last step reaches abar_0 (eeg2speech).

    Raises:
        ValueError: more steps than levels.
    """
    if not 1 <= count <= schedule.steps:
        raise ValueError(f"{count} sampling steps of {schedule.steps} levels")
    stride = schedule.steps // count
    t = torch.arange(0, schedule.steps, stride)
    t = (t if offset else t[:count]) + offset
    abar = schedule.alphas_cumprod.double().cpu()
    t = t[t < len(abar)]
    first = abar[:1] if offset else torch.ones(1, dtype=torch.float64)
    return Steps(t, abar[t], torch.cat([first, abar[t[:-1]]]))


def even_steps(schedule: NoiseSchedule, count: int) -> Steps:
    """Return at most `count` levels, equal steps of log(abar / (1 - abar)); the last reaches 1."""
    if not 2 <= count <= schedule.steps:
        raise ValueError(f"{count} sampling steps of {schedule.steps} levels; at least 2")
    abar = schedule.alphas_cumprod.double().cpu()
    ratio = torch.logit(abar)
    grid = torch.linspace(float(ratio[0]), float(ratio[-1]), count, dtype=torch.float64)
    t = (ratio[None] - grid[:, None]).abs().argmin(1).unique()
    return Steps(t, abar[t], torch.cat([torch.ones(1, dtype=torch.float64), abar[t[:-1]]]))


@dataclass
class Noise:
    """Unit noise for each step: drawn per item from its own generator, or from a sequence.

    One generator an item makes a sample independent of the others in its batch.

    Args:
        generators: one per item, on the CPU.
        sequence: noise by step instead, in the order of use.
    """

    generators: list[torch.Generator] | None = None
    sequence: Iterator[Tensor] | None = None

    @classmethod
    def seeded(cls, seeds: list[int]) -> Noise:
        """Return noise with one generator per item, from its seed."""
        return cls(item_generators(seeds))

    def like(self, x: Tensor) -> Tensor:
        """Draw noise of the shape of x (B, ...)."""
        if self.sequence is not None:
            return next(self.sequence).to(x)
        if self.generators is None:
            return torch.randn_like(x)
        # drawn on the CPU, so that a seed gives the same wave on every device
        return torch.stack([torch.randn(x.shape[1:], generator=g) for g in self.generators]).to(x)


@dataclass
class Path:
    """Levels, noise and limits of a run of a sampler.

    Attributes:
        steps: levels to visit.
        noise: for samplers that draw.
        eta: of DDIM; 0 deterministic, 1 as DDPM.
        clip: largest |x_0|; None = no limit.
        edit: (x, abar) -> x after every step, abar the level reached: to keep known parts.
    """

    steps: Steps
    noise: Noise = field(default_factory=Noise)
    eta: float = 0.0
    clip: float | None = 1.0
    edit: Callable[[Tensor, float], Tensor] | None = None

    def x0(self, x: Tensor, eps: Tensor, abar: float) -> Tensor:
        """Return the clipped prediction of the data."""
        x0 = (x - (1 - abar) ** 0.5 * eps) / abar**0.5
        return x0 if self.clip is None else x0.clamp(-self.clip, self.clip)

    def reached(self, x: Tensor, abar: float) -> Tensor:
        """Return x after a step, edited."""
        return x if self.edit is None else self.edit(x, abar)


def _predict(denoise: Denoise, x: Tensor, t: Tensor) -> Tensor:
    with torch.no_grad():
        return denoise(x, t.to(x.device).expand(len(x)))


def ddim(denoise: Denoise, x: Tensor, path: Path) -> Iterator[Tensor]:
    """Yield x after every step of DDIM (Song et al. 2021), from start noise x (B, ...).

    The direction uses the noise as predicted, not one recomputed from the clipped x_0.
    """
    steps, sigmas = path.steps, path.steps.sigmas(path.eta)
    for index in range(len(steps.t) - 1, -1, -1):
        a, p, sigma = (float(v[index]) for v in (steps.abar, steps.before, sigmas))
        eps = _predict(denoise, x, steps.t[index])
        x0 = path.x0(x, eps, a)
        # 1 - p - sigma^2 is 0 at eta = 1 and may round below it
        x = p**0.5 * x0 + max(0.0, 1 - p - sigma**2) ** 0.5 * eps
        if sigma > 0:
            x = x + sigma * path.noise.like(x)
        x = path.reached(x, p)
        yield x


def ddpm(denoise: Denoise, x: Tensor, path: Path) -> Iterator[Tensor]:
    """Yield x after every step of DDPM (Ho et al. 2020) with the smaller fixed variance."""
    steps = path.steps
    for index in range(len(steps.t) - 1, -1, -1):
        a, p = float(steps.abar[index]), float(steps.before[index])
        eps = _predict(denoise, x, steps.t[index])
        x0, r = path.x0(x, eps, a), a / p
        x = (p**0.5 * (1 - r) * x0 + r**0.5 * (1 - p) * x) / (1 - a)
        if index > 0:  # none at the end: it would stay in the sample
            variance = max((1 - p) / (1 - a) * (1 - r), 1e-20)
            x = x + variance**0.5 * path.noise.like(x)
        x = path.reached(x, p)
        yield x


def dpm(denoise: Denoise, x: Tensor, path: Path) -> Iterator[Tensor]:
    """Yield x after every step of DPM-Solver++ (2M) (Lu et al. 2022, algorithm 2).

    With lambda = log(sqrt(abar) / sqrt(1 - abar)) and h its step, the prediction of the data is
    extrapolated from the last two; the first and the last step are of first order.
    """
    steps, before, h_before = path.steps, None, 0.0
    for index in range(len(steps.t) - 1, -1, -1):
        a, p = float(steps.abar[index]), float(steps.before[index])
        x0 = path.x0(x, _predict(denoise, x, steps.t[index]), a)
        if p >= 1:  # lambda is infinite there: the step leads to the prediction itself
            x = x0
        else:
            h = 0.5 * (math.log(p / (1 - p)) - math.log(a / (1 - a)))
            data = x0 if before is None else x0 + h / (2 * h_before) * (x0 - before)
            x = ((1 - p) / (1 - a)) ** 0.5 * x - p**0.5 * math.expm1(-h) * data
            before, h_before = x0, h
        x = path.reached(x, p)
        yield x


def invert(denoise: Denoise, x: Tensor, path: Path) -> Iterator[Tensor]:
    """Yield x after every step of DDIM backwards, to the noise whose sample is x (B, ...)."""
    steps = path.steps
    for index in range(len(steps.t)):
        a, p = float(steps.abar[index]), float(steps.before[index])
        # not clipped: a clipped step cannot be undone
        eps = _predict(denoise, x, steps.t[index])
        x = a**0.5 * (x - (1 - p) ** 0.5 * eps) / p**0.5 + (1 - a) ** 0.5 * eps
        yield x


SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpm": dpm}


def last(path: Iterator[Tensor]) -> Tensor:
    """Return the last x of a sampler."""
    return deque(path, maxlen=1).pop()

"""Flow matching: straight paths from data to noise, and solvers of their equation.

Lipman et al. 2023 and Liu et al. 2023 ("rectified flow"): x_s = (1 - s) x_0 + s eps, and a network
learns the velocity eps - x_0. Sampling integrates it from s = 1 to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

TIMES = ("uniform", "logit_normal")
Velocity = Callable[[Tensor, Tensor], Tensor]


class LinearPath(nn.Module):
    """Straight paths between data and noise; nothing is learned or saved.

    Args:
        steps: scale of the time that networks are told: s * steps, so that the time embeddings of
            diffusion serve.
        times: how training draws s: uniform, or logit_normal, which stays away from both ends
            (Esser et al. 2024).
        data_sd: standard deviation of images. With it a network predicts what is left of the
            velocity after the best multiple of x_s, at unit variance, and need not carry the noise
            through itself (the preconditioning of Karras et al. 2022); None = the whole velocity.
            Every time then weighs the same in the loss: where the noise is large, and a condition
            is all that there is to know, the velocity is nearly the noise, and an error is small.
    """

    def __init__(
        self, steps: int = 1000, times: str = "uniform", data_sd: float | None = None
    ) -> None:
        super().__init__()
        if times not in TIMES:
            raise ValueError(f"times {times!r}; one of {', '.join(TIMES)}")
        if data_sd is not None and not 0 < data_sd < math.inf:
            raise ValueError(f"data_sd {data_sd!r}; a number above 0, or null")
        self.steps, self.times, self.data_sd = steps, times, data_sd

    def draw(
        self,
        count: int,
        generator: torch.Generator | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Draw times (count,) in 0..1."""
        if self.times == "logit_normal":
            # Location 0 and scale 1, the best of those that Esser et al. compare.
            return torch.randn(count, generator=generator, device=device).sigmoid()
        return torch.rand(count, generator=generator, device=device)

    def add_noise(self, x0: Tensor, noise: Tensor, s: Tensor) -> Tensor:
        """Return x_s of x_0 (B, ...) at times s (B,)."""
        share = s.reshape(-1, *(1,) * (x0.ndim - 1)).to(x0)
        return (1 - share) * x0 + share * noise

    def velocity(self, x0: Tensor, noise: Tensor, s: Tensor) -> Tensor:
        """Return eps - x_0, the same at all times s."""
        return noise - x0

    def around(self, network: Callable[[Tensor], Tensor], x: Tensor, s: Tensor) -> Tensor:
        """Return the velocity at x_s (B, ...) and times s (B,), of a network of x_s.

        With data of variance d, x_s has the variance q = s^2 + d (1 - s)^2, and the best multiple
        of it, (s - d (1 - s)) / q, leaves d / q of the variance of the velocity.
        """
        if self.data_sd is None:
            return network(x)
        time = s.reshape(-1, *(1,) * (x.ndim - 1)).to(x)
        data = self.data_sd**2
        variance = time.square() + data * (1 - time).square()
        scale = variance.sqrt()
        share = (time - data * (1 - time)) / variance
        return share * x + self.data_sd / scale * network(x / scale)

    def weights(self, like: Tensor, s: Tensor) -> Tensor:
        """Return what squared errors of the velocity weigh at times s (B,), to multiply `like`."""
        time = s.reshape(-1, *(1,) * (like.ndim - 1)).to(like)
        if self.data_sd is None:
            return torch.ones_like(time)
        return (time / self.data_sd).square() + (1 - time).square()


@dataclass
class FlowSteps:
    """Times of a run of a solver.

    Attributes:
        times: (S + 1,) from where it begins, 1 at most, down to 0.
        edit: (x, s) -> x after every step, to keep known parts.
    """

    times: Tensor
    edit: Callable[[Tensor, float], Tensor] | None = None

    @classmethod
    def even(cls, evaluations: int, per_step: int) -> FlowSteps:
        """Return equal steps that take so many evaluations of the network.

        Raises:
            ValueError: fewer evaluations than one step takes, or not a whole number of steps.
        """
        if evaluations < per_step or evaluations % per_step:
            raise ValueError(f"{evaluations} evaluations; a step takes {per_step}")
        count = evaluations // per_step
        # float64: the difference of two close times loses digits in float32.
        return cls(torch.linspace(1, 0, count + 1, dtype=torch.float64))

    def __len__(self) -> int:
        return len(self.times) - 1

    def pairs(self) -> Iterator[tuple[float, float]]:
        """Yield the times before and after every step."""
        times = self.times.tolist()
        yield from pairwise(times)

    def reached(self, x: Tensor, s: float) -> Tensor:
        """Return x after a step, edited."""
        return x if self.edit is None else self.edit(x, s)


@torch.no_grad()
def _at(velocity: Velocity, x: Tensor, s: float) -> Tensor:
    # A time for each item, as in training, where those of a batch differ.
    return velocity(x, torch.full((len(x),), s, dtype=torch.float32, device=x.device))


def euler(velocity: Velocity, x: Tensor, steps: FlowSteps) -> Iterator[Tensor]:
    """Yield x after every step of first order, one evaluation each."""
    for s, after in steps.pairs():
        x = steps.reached(x + (after - s) * _at(velocity, x, s), after)
        yield x


def heun(velocity: Velocity, x: Tensor, steps: FlowSteps) -> Iterator[Tensor]:
    """Yield x after every step of second order, with the mean slope of both ends.

    Where data are constant (padding) the slope at s = 0 cannot be told, and half of what noise the
    last step had to remove stays: euler and midpoint remove it.
    """
    for s, after in steps.pairs():
        first = _at(velocity, x, s)
        # Also at s = 0, where the Heun steps of Karras et al. 2022 would divide by 0.
        second = _at(velocity, x + (after - s) * first, after)
        x = steps.reached(x + (after - s) * (first + second) / 2, after)
        yield x


def midpoint(velocity: Velocity, x: Tensor, steps: FlowSteps) -> Iterator[Tensor]:
    """Yield x after every step of second order, with the slope in the middle."""
    for s, after in steps.pairs():
        middle = x + (after - s) / 2 * _at(velocity, x, s)
        x = steps.reached(x + (after - s) * _at(velocity, middle, (s + after) / 2), after)
        yield x


FLOW_SAMPLERS = {"euler": euler, "heun": heun, "midpoint": midpoint}
#: Evaluations of the network in a step.
EVALUATIONS = {"euler": 1, "heun": 2, "midpoint": 2}

"""Learning rate against the step: pure functions of the step number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import UserError

NAMES = ("constant", "cosine", "linear", "step")


@dataclass(frozen=True)
class Schedule:
    """Rate of every optimiser step, counted from 0.

    Attributes:
        name: constant, cosine (half a period to `min_lr`), linear (to `min_lr`), step.
        lr: rate after the warm-up.
        min_lr: rate at the end.
        total_steps: steps of the whole run.
        warmup_steps: steps of the linear rise; the rate of step n is lr * n / warmup_steps.
        step_steps: steps between two drops of `step`.
        gamma: factor of a drop.
    """

    name: str
    lr: float
    min_lr: float
    total_steps: int
    warmup_steps: int = 0
    step_steps: int = 1
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise UserError(f"unknown schedule {self.name!r}; known: {', '.join(NAMES)}")

    def __call__(self, step: int) -> float:
        """Rate of optimiser step `step` >= 0."""
        if step < self.warmup_steps:
            return self.lr * step / self.warmup_steps
        done = step - self.warmup_steps
        share = min(1.0, done / max(1, self.total_steps - self.warmup_steps))
        if self.name == "cosine":
            return self.min_lr + (self.lr - self.min_lr) * 0.5 * (1 + math.cos(math.pi * share))
        if self.name == "linear":
            return self.lr + (self.min_lr - self.lr) * share
        if self.name == "step":
            return max(self.min_lr, self.lr * self.gamma ** (done // self.step_steps))
        return self.lr


def cosine_with_inclusive_warmup(
    base: float, final: float, total: int, warmup: int, start: float = 0.0
) -> list[float]:
    """All rates of LaBraM's per-step schedule (labram.md section 4; golden `labram/schedules`).

    The warm-up includes both ends (its last step has the full rate already, and so has the first
    step of the cosine).
    """
    rise = [
        base if warmup == 1 else start + (base - start) * i / (warmup - 1) for i in range(warmup)
    ]
    if warmup == 1:
        rise = [start]
    rest = total - warmup
    fall = [final + 0.5 * (base - final) * (1 + math.cos(math.pi * i / rest)) for i in range(rest)]
    return rise + fall

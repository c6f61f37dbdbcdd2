"""Learning rate of every optimiser step: functions of the step number, nothing to save."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..registry import check_known

WARMUPS = ("zero", "inclusive", "next")


def warmup_factor(step: int, length: int, form: str) -> float:
    """Return the factor in [0, 1] of step `step` (from 0) of a linear warm-up over `length` steps.

    Forms: `zero` step / length (0 first, 1 just after the warm-up); `inclusive`
    step / (length - 1) (0 first, 1 at its last step); `next` (step + 1) / length.
    """
    if form == "next":
        return (step + 1) / length
    return step / max(1, length - 1 if form == "inclusive" else length)


def cosine(progress: float, peak: float, floor: float) -> float:
    """Return half a cosine from `peak` at progress 0 to `floor` at progress 1."""
    return floor + 0.5 * (peak - floor) * (1.0 + math.cos(math.pi * progress))


def linear(progress: float, peak: float, floor: float) -> float:
    """Return a straight line from `peak` at progress 0 to `floor` at progress 1."""
    return peak + (floor - peak) * progress


def rate(
    step: int, total: int, warmup: int, peak: float, floor: float, name: str, form: str = "zero"
) -> float:
    """Return the value at `step` of `total`: linear warm-up, then constant, cosine or linear.

    Steps count from 0. `step` may be an epoch number when everything is counted in epochs.
    """
    if step < warmup:
        return peak * warmup_factor(step, warmup, form)
    if name == "constant":
        return peak
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return (cosine if name == "cosine" else linear)(progress, peak, floor)


class Schedule:
    """Learning rate by optimiser step, from the configuration.

    Args:
        config: the `schedule` group: name, warmup_epochs, warmup_steps, warmup_form, min_lr,
            step_epochs, step_gamma, per_epoch.
        peak: highest rate.
        epochs: of the whole run.
        steps_per_epoch: optimiser steps.
    """

    def __init__(
        self, config: Mapping[str, Any], peak: float, epochs: int, steps_per_epoch: int
    ) -> None:
        self.config, self.peak = config, peak
        self.steps_per_epoch = max(1, steps_per_epoch)
        self.epochs = epochs
        self.form = config.get("warmup_form", "zero")
        check_known("schedule", config["name"], ("constant", "cosine", "linear", "step"))
        check_known("schedule.warmup_form", self.form, WARMUPS)

    def at(self, step: int) -> float:
        """Return the rate of optimiser step `step`, counted from 0 over the whole run."""
        per_epoch = self.config.get("per_epoch", False)
        unit = 1 if per_epoch else self.steps_per_epoch
        index = step // self.steps_per_epoch if per_epoch else step
        warmup_steps = self.config.get("warmup_steps")
        warmup = round(self.config["warmup_epochs"] * unit)
        if warmup_steps is not None:
            warmup = warmup_steps // self.steps_per_epoch if per_epoch else warmup_steps
        # drops are counted in epochs whatever `per_epoch` says
        if self.config["name"] == "step" and index >= warmup:
            drops = (step // self.steps_per_epoch) // self.config["step_epochs"]
            return float(self.peak * self.config["step_gamma"] ** drops)
        name = "constant" if self.config["name"] == "step" else self.config["name"]
        floor = self.config["min_lr"]
        return rate(index, self.epochs * unit, warmup, self.peak, floor, name, self.form)


def decay_schedule(
    config: Mapping[str, Any], weight_decay: float, epochs: int, steps_per_epoch: int
) -> Schedule | None:
    """Build the weight decay by step: half a cosine to `weight_decay_end`, None without one."""
    end = config.get("weight_decay_end")
    if end is None:
        return None
    shape = {"name": "cosine", "warmup_epochs": 0, "min_lr": end}
    return Schedule(shape, weight_decay, epochs, steps_per_epoch)

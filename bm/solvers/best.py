"""Which epoch is the best, and when to stop."""

from __future__ import annotations

import math
from typing import Any


class Best:
    """The best value of a metric so far, its epoch, and how long ago that was.

    Args:
        mode: `max` or `min`.
        patience: epochs without improvement after which to stop; None = never.
        min_delta: smallest change that counts for the patience.
    """

    def __init__(self, mode: str, patience: int | None = None, min_delta: float = 0.0) -> None:
        self.mode = mode
        self.patience = patience
        self.min_delta = min_delta
        self.value: float | None = None
        self.epoch = 0
        self.stale = 0

    def update(self, value: float, epoch: int) -> bool:
        """Take a value in; true when it is the best. A value that is not finite never is."""
        sign = 1.0 if self.mode == "max" else -1.0
        gain = math.inf if self.value is None else sign * (value - self.value)
        better = math.isfinite(value) and gain > 0
        self.stale = 0 if math.isfinite(value) and gain > self.min_delta else self.stale + 1
        if better:
            self.value, self.epoch = value, epoch
        return better

    @property
    def exhausted(self) -> bool:
        """True when the patience is over."""
        return self.patience is not None and self.stale >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Value, epoch and counter."""
        return {"value": self.value, "epoch": self.epoch, "stale": self.stale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.value, self.epoch = state["value"], int(state["epoch"])
        self.stale = int(state["stale"])

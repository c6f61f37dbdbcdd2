"""The best epoch so far, and when to stop waiting for a better one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import UserError, nearest
from ..registry import check_known


class Best:
    """Best value of one metric of stage valid.

    Args:
        metric: its name.
        mode: `min` or `max`.
        patience: validations without improvement after which to stop (0 as 1); None = never. The
            last epoch is the best one + patience, as in the code of Défossez et al. 2023.
        min_delta: smallest change that counts against patience.
    """

    def __init__(
        self, metric: str, mode: str, patience: int | None = None, min_delta: float = 0.0
    ) -> None:
        check_known("best.mode", mode, ("min", "max"))
        self.metric, self.mode = metric, mode
        self.patience, self.min_delta = patience, min_delta
        self.value: float | None = None
        self.reference: float | None = None
        self.epoch: int | None = None
        self.waited = 0

    def update(self, metrics: Mapping[str, float], epoch: int) -> bool:
        """Compare the metrics of a validation; return true when they are the best so far."""
        if self.metric not in metrics:
            raise UserError(f"best.metric {self.metric!r} unknown{nearest(self.metric, metrics)}")
        value = float(metrics[self.metric])
        improved = self._better(value, self.value, 0.0)
        # the first validation counts even when it is NaN: there must be weights to evaluate
        if improved or self.epoch is None:
            self.value, self.epoch = value, epoch
            improved = True
        if self._better(value, self.reference, self.min_delta):
            self.reference, self.waited = value, 0
        else:
            self.waited += 1
        return improved

    def _better(self, value: float, other: float | None, delta: float) -> bool:
        if math.isnan(value):
            return False
        if other is None or math.isnan(other):
            return True
        return value < other - delta if self.mode == "min" else value > other + delta

    @property
    def exhausted(self) -> bool:
        """Whether patience is over."""
        return self.patience is not None and self.waited >= max(1, self.patience)

    def state_dict(self) -> dict[str, Any]:
        """Return the counters as plain values."""
        names = ("metric", "value", "reference", "epoch", "waited")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, value in state.items():
            setattr(self, name, value)


def build_best(cfg: Mapping[str, Any], main_metric: tuple[str, str]) -> Best:
    """Build the record of the best epoch that `best` and `early_stop` describe.

    Args:
        cfg: whole configuration.
        main_metric: name and direction that the solver calls its own.
    """
    metric, mode = main_metric
    stop = cfg["early_stop"]
    return Best(
        cfg["best"]["metric"] or metric,
        cfg["best"]["mode"] or mode,
        stop["patience"],
        stop["min_delta"],
    )

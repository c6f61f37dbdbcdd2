"""HiPlot explorers; a metric that is missing or not finite is left out, never an error."""

from __future__ import annotations

import math
from typing import Any

from dora.hiplot import HiPlotExplorer

STAGES = ("train", "valid", "test", "perf")
#: Axes that crowd the page and tell no two experiments apart.
LEFT_OUT = ("chance_", "f1_", "kappa", "checkpoint_", "flops_", "memory_", "step_")


class MainHP(HiPlotExplorer):
    """Losses and main metrics of all stages, one point per epoch."""

    def process_metrics(self, xp: Any, metrics: dict[str, Any]) -> dict[str, Any]:
        """Nested finite numbers of one epoch, without the axes that crowd the page."""
        return {
            stage: {
                name: float(value)
                for name, value in (metrics.get(stage) or {}).items()
                if isinstance(value, int | float)
                and math.isfinite(value)
                and not name.startswith(LEFT_OUT)
            }
            for stage in STAGES
        }

    def process_history(self, xp: Any, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One point per epoch, with the lowest validation loss so far as `best`."""
        best, found = math.inf, []
        for entry in history:
            value = (entry.get("valid") or {}).get("loss")
            if isinstance(value, int | float) and math.isfinite(value):
                best = min(best, float(value))
                entry = {**entry, "valid": {**entry["valid"], "best": best}}
            found.append(entry)
        points: list[dict[str, Any]] = super().process_history(xp, found)
        return points

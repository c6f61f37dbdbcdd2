"""HiPlot explorers; a metric that is missing or not finite is left out, never an error."""

from __future__ import annotations

import math
from typing import Any

from dora.hiplot import HiPlotExplorer

STAGES = ("train", "valid", "test", "perf")


class MainHP(HiPlotExplorer):
    """All finite metrics of all stages, one point per epoch."""

    def process_metrics(self, xp: Any, metrics: dict[str, Any]) -> dict[str, Any]:
        """Nested finite numbers of one epoch."""
        return {
            stage: {
                name: float(value)
                for name, value in (metrics.get(stage) or {}).items()
                if isinstance(value, int | float) and math.isfinite(value)
            }
            for stage in STAGES
        }

"""HiPlot explorers; a metric that is missing or not finite is left out, never an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dora import hiplot as dora_hiplot
from dora.hiplot import HiPlotExplorer

from ._explorers import is_finite

if TYPE_CHECKING:
    import hiplot
    from dora import XP

STAGES = ("train", "valid", "test", "perf")
#: Axes that crowd the page and tell no two experiments apart.
LEFT_OUT = ("chance_", "f1_", "kappa", "checkpoint_", "flops_", "memory_", "step_")


class Serial:
    """Stand-in for Dora's pool of ten processes, each of which composes the base again.

    This project resolves an experiment in 2 ms, once the base is there.
    """

    def __init__(self, workers: int) -> None:
        pass

    def __enter__(self) -> Serial:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Return the results in order."""
        return [function(item) for item in items]


dora_hiplot.ProcessPoolExecutor = Serial  # type: ignore[misc,assignment]


class MainHP(HiPlotExplorer):
    """Losses and main metrics of all stages, one point per epoch."""

    def process_metrics(self, xp: XP, metrics: dict[str, Any]) -> dict[str, Any]:
        """Return the nested finite numbers of one epoch, without the axes that crowd the page."""
        return {
            stage: {
                name: float(value)
                for name, value in (metrics.get(stage) or {}).items()
                if is_finite(value) and not name.startswith(LEFT_OUT)
            }
            for stage in STAGES
        }

    def process_history(self, xp: XP, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return one point per epoch, with the lowest validation loss so far as `best`."""
        best, entries = math.inf, []
        for entry in history:
            value = (entry.get("valid") or {}).get("loss")
            if is_finite(value):
                best = min(best, float(value))
                # A copy: the history of the experiment stays as it was written.
                entry = {**entry, "valid": {**entry["valid"], "best": best}}
            entries.append(entry)
        points: list[dict[str, Any]] = super().process_history(xp, entries)
        return points

    def postprocess_exp(self, exp: hiplot.Experiment) -> None:
        """Name what an axis would show as `[object Object]`: a model that was not chosen."""
        for point in exp.datapoints:
            for key, value in point.values.items():
                if isinstance(value, Mapping):
                    point.values[key] = str(value.get("name") or value.get("target") or "default")

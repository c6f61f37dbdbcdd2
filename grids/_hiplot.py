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

#: Stage -> how many of its metrics have an axis at first, in the order of the history.
SHOWN = {"train": 1, "valid": 2, "test": 3}
BEST = "valid.best"
INTERNAL = ("sig", "epoch", "last", "uid", "from_uid")


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
        arrange(exp)


def arrange(exp: hiplot.Experiment) -> None:
    """Set which axes are drawn, from left to right: what was swept, the epoch, metrics.

    Dora draws all of them in an order that no two processes share; 20 axes cover each other's
    names. Those that are hidden stay in the table and are a click away.
    """
    import hiplot

    names = list(dict.fromkeys(name for point in exp.datapoints for name in point.values))
    metrics = [name for name in names if name.partition(".")[0] in STAGES and "." in name]
    metrics.sort(key=lambda name: not name.endswith((".loss", ".balanced_accuracy")))
    swept = sorted(set(names) - {*metrics, *INTERNAL}, key=lambda name: (name != "solver", name))
    shown = [
        name
        for stage, count in SHOWN.items()
        for name in [n for n in metrics if n.startswith(f"{stage}.") and n != BEST][:count]
    ]
    hidden = [name for name in names if name not in (*swept, "epoch", *shown)]
    plot = exp.display_data(hiplot.Displays.PARALLEL_PLOT)
    # HiPlot counts from the right
    plot.update(
        {"hide": ["uid", "from_uid", *hidden], "order": [*shown[::-1], "epoch", *swept[::-1]]}
    )
    order = ["sig", *swept, "last", "epoch", *shown, *(n for n in metrics if n not in shown)]
    exp.display_data(hiplot.Displays.TABLE).update({"hide": ["uid", "from_uid"], "order": order})

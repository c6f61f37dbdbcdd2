"""What a result cost: time of training, parameters, operations of one item, energy by assumption.

Costs are those of the experiment itself: the stages that it begins from have their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JOULES_PER_WH = 3600.0
NOTE = (
    "training s: of all epochs, in the process that ended them; validation and evaluation are not "
    "in it. Decoders fitted at once: to fit and to decide. MFLOP: of one forward pass of one item. "
    "Wh: an estimate, no meter was read: training time x 10 W for each thread of a processor, or x "
    "the board power of the GPU's data sheet. Earlier stages are rows of their own."
)


@dataclass(frozen=True)
class Cost:
    """What one experiment took; None = it was not recorded.

    Attributes:
        seconds: of training.
        parameters: of the model; None of decoders that are no network.
        flops: of a forward pass of one item.
        watt_hours: seconds times the assumed power.
    """

    seconds: float | None = None
    parameters: float | None = None
    flops: float | None = None
    watt_hours: float | None = None


def cost_of(history: Sequence[Mapping[str, Any]]) -> Cost:
    """Return the cost of an experiment from the `perf` group of its epochs.

    Args:
        history: one dict of stages per epoch; one without `seconds` was trained before they were
            recorded, and has no time at all.
    """
    epochs = [entry.get("perf") or {} for entry in history]
    if not epochs:
        return Cost()
    last, whole = epochs[-1], all("seconds" in perf for perf in epochs)
    seconds = sum(perf["seconds"] for perf in epochs) if whole else None
    powered = whole and all("assumed_w" in perf for perf in epochs)
    joules = sum(perf["seconds"] * perf["assumed_w"] for perf in epochs) if powered else None
    return Cost(
        seconds,
        last.get("parameters"),
        last.get("flops_per_item"),
        None if joules is None else joules / JOULES_PER_WH,
    )


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """Return the mean over seeds of what all of them recorded."""

    def mean(name: str) -> float | None:
        values = [getattr(cost, name) for cost in costs]
        numbers = [value for value in values if value is not None]
        return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None

    return Cost(mean("seconds"), mean("parameters"), mean("flops"), mean("watt_hours"))


def cost_cells(costs: Sequence[Cost]) -> dict[str, str]:
    """Return the cells of a row's mean cost; what was not recorded is empty.

    Args:
        costs: one per seed.
    """
    cost = mean_cost(costs)
    return {
        "training s": _digits(cost.seconds),
        "parameters": "" if cost.parameters is None else f"{cost.parameters:,.0f}",
        "MFLOP": _digits(None if cost.flops is None else cost.flops / 1e6),
        "Wh (estimate)": _digits(cost.watt_hours),
    }


def _digits(value: float | None) -> str:
    """Return a number with three digits that count, without an exponent: `0.0123`, `1234`."""
    if value is None or not math.isfinite(value):
        return ""
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}"

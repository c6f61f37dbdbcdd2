"""Metrics of predicted values over a whole split, each the mean over the V values."""

from __future__ import annotations

import numpy as np

from .intervals import Interval, metric_interval
from .units import Units


def value_metrics(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return R2, Pearson correlation and root mean squared error.

    A value that is constant in the split has neither R2 nor correlation: it is left out of their
    means, which are NaN when nothing is left. A constant prediction correlates with nothing: 0.

    Args:
        predicted, true: (N, V).
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    squares = np.square(predicted - true).mean(0)
    variance = true.var(0)
    varying = variance > 0  # of a constant value R2 divides by 0
    shares = 1 - squares[varying] / variance[varying]
    pairs = [pearson(predicted[:, i], true[:, i]) for i in np.flatnonzero(varying)]
    return {
        "r2": float(shares.mean()) if varying.any() else float("nan"),
        "pearson": float(np.mean(pairs)) if pairs else float("nan"),
        "rmse": float(np.sqrt(squares).mean()),
    }


def value_intervals(predicted: np.ndarray, true: np.ndarray, units: Units) -> dict[str, Interval]:
    """Return 95 % intervals of `value_metrics` over units; none of too few, or where one is NaN.

    Args:
        predicted, true: (N, V).
        units: of the N items.
    """
    intervals = {}
    for name, bounds in (("r2", None), ("pearson", (-1.0, 1.0)), ("rmse", None)):

        def metric(inside: np.ndarray, name: str = name) -> float:
            return value_metrics(predicted[inside], true[inside])[name]

        ends = metric_interval(metric, units, bounds)
        if ends is not None:
            intervals[name] = ends
    return intervals


def pearson(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return the correlation of two series (N,), 0 when one of them is constant."""
    predicted, true = predicted - predicted.mean(), true - true.mean()
    scale = np.linalg.norm(predicted) * np.linalg.norm(true)
    return float(predicted @ true / scale) if scale > 0 else 0.0

"""Metrics of predicted values over a whole split, each the mean over the V values."""

from __future__ import annotations

import numpy as np


def value_metrics(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """R2, Pearson correlation and root mean squared error.

    A value that is constant in the split has neither R2 nor correlation: it is left out of their
    means, which are NaN when nothing is left. A constant prediction correlates with nothing: 0.

    Args:
        found: (N, V) predictions.
        wanted: (N, V) true values.
    """
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    squares = np.square(found - wanted).mean(0)
    variance = wanted.var(0)
    known = variance > 0
    fits = 1 - squares[known] / variance[known]
    pairs = [pearson(found[:, i], wanted[:, i]) for i in np.flatnonzero(known)]
    return {
        "r2": float(fits.mean()) if known.any() else float("nan"),
        "pearson": float(np.mean(pairs)) if pairs else float("nan"),
        "rmse": float(np.sqrt(squares).mean()),
    }


def pearson(found: np.ndarray, wanted: np.ndarray) -> float:
    """Correlation of two series (N,), 0 when the first is constant."""
    found, wanted = found - found.mean(), wanted - wanted.mean()
    scale = np.linalg.norm(found) * np.linalg.norm(wanted)
    return float(found @ wanted / scale) if scale > 0 else 0.0

"""Metrics of predicted values over a whole split, each the mean over the V values."""

from __future__ import annotations

import numpy as np


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


def pearson(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return the correlation of two series (N,), 0 when one of them is constant."""
    predicted, true = predicted - predicted.mean(), true - true.mean()
    scale = np.linalg.norm(predicted) * np.linalg.norm(true)
    return float(predicted @ true / scale) if scale > 0 else 0.0

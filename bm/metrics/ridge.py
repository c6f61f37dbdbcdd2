"""Ridge regression in closed form: what a linear readout of features can tell, within seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Penalties that are tried, over the mean squared singular value of the features.
PENALTIES = tuple(10.0**power for power in np.arange(-5, 5.5, 0.5))
SCALES = tuple(10.0**power for power in np.arange(-1, 3.1, 0.1))  # of logits, tried one by one
SMALLEST = 1e-12  # share of the largest singular value below which a direction is none


@dataclass(frozen=True)
class Ridge:
    """A linear readout.

    Attributes:
        weight: (K, D).
        bias: (K,).
        penalty: chosen by leaving each window out.
        left_out: (N, K), the output for each window without it.
    """

    weight: np.ndarray
    bias: np.ndarray
    penalty: float
    left_out: np.ndarray

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """Return outputs (N, K) of features (N, D)."""
        return features @ self.weight.T + self.bias


def fit_ridge(features: np.ndarray, targets: np.ndarray) -> Ridge:
    """Fit targets (N, K) to features (N, D), standardised, with the penalty of least error.

    The error is that of leaving one window out, which the singular values give for all penalties at
    once (Allen 1974; Golub, Heath and Wahba 1979). The intercept is not penalised.

    Raises:
        ValueError: values that are not finite, or fewer than two windows.
    """
    x, y = np.asarray(features, float), np.asarray(targets, float)
    if len(x) < 2 or not np.isfinite(x).all() or not np.isfinite(y).all():
        raise ValueError("ridge: two windows or more with finite values are needed")
    centre, mean = x.mean(0), y.mean(0)
    spread = x.std(0)
    # a feature that never moves is left out; divided by rounding errors it would explode
    spread = np.where(spread > 1e-9 * max(spread.max(), 1e-300), spread, np.inf)
    left, values, right = np.linalg.svd((x - centre) / spread, full_matrices=False)
    usable = values > SMALLEST * max(values.max(initial=0.0), 1e-300)
    left, values, right = left[:, usable], values[usable], right[usable]
    projected = left.T @ (y - mean)
    unit = float((values**2).mean()) if len(values) else 1.0
    fits = [_left_out(left, values, projected, y, penalty * unit) for penalty in PENALTIES]
    errors = [float(((out - y) ** 2).mean()) for out in fits]
    best = int(np.argmin(errors))
    shrunk = values / (values**2 + PENALTIES[best] * unit)
    weight = (right.T @ (shrunk[:, None] * projected)).T / spread
    return Ridge(weight, mean - weight @ centre, PENALTIES[best], fits[best])


def _left_out(
    left: np.ndarray, values: np.ndarray, projected: np.ndarray, y: np.ndarray, penalty: float
) -> np.ndarray:
    """Return the outputs (N, K) for each window of a fit without it."""
    shrinkage = values**2 / (values**2 + penalty)
    inside = y.mean(0) + left @ (shrinkage[:, None] * projected)
    leverage = 1 / len(y) + (left**2) @ shrinkage
    return y - (y - inside) / np.maximum(1 - leverage, 1e-9)[:, None]


def class_targets(labels: np.ndarray, n_outputs: int) -> np.ndarray:
    """Return (N, n_outputs) of labels (N,): -1 and 1 for a single logit, else 0 and 1."""
    if n_outputs == 1:
        return np.where(labels == 1, 1.0, -1.0)[:, None]
    return np.eye(n_outputs)[labels]


def logit_scale(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the factor that makes outputs (N, K) the best logits of labels (N,).

    Outputs of windows left out are meant: those of windows that were fitted are too sure.
    """

    def loss(scale: float) -> float:
        logits = scale * outputs
        if outputs.shape[1] == 1:
            return float(np.logaddexp(0, np.where(labels == 1, -1, 1) * logits[:, 0]).mean())
        peak = logits.max(1, keepdims=True)
        norm = np.log(np.exp(logits - peak).sum(1)) + peak[:, 0]
        return float((norm - logits[np.arange(len(labels)), labels]).mean())

    return min(SCALES, key=loss)

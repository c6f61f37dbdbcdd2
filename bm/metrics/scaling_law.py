"""A power law of the loss over model size and data, fitted to the runs of a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.optimize import least_squares

HUBER = 1e-3  # of log losses: what diverged is not to bend the law (Hoffmann et al. 2022, D.2)
LEAST_RUNS, LEAST_SIZES = 5, 3  # fewer runs, or sizes along an axis, fit any law
STARTS = tuple(product((0.0, 0.5), (0.2, 0.5, 1.0), (0.2, 0.5, 1.0)))


@dataclass(frozen=True)
class PowerLaw:
    """L(N, D) = floor + a N^-alpha + b D^-beta; a term of one size alone is left out.

    Attributes:
        floor: loss that neither reduces.
        a, alpha: of the number of parameters N; None where all runs have one.
        b, beta: of the data D; None where all runs have one.
        error: root mean square of the relative error.
    """

    floor: float
    a: float | None
    alpha: float | None
    b: float | None
    beta: float | None
    error: float

    def loss(self, parameters: np.ndarray, data: np.ndarray) -> np.ndarray:
        """Return the loss of models of N parameters on D data."""
        value = np.full(np.broadcast(parameters, data).shape, self.floor)
        if self.a is not None and self.alpha is not None:
            value = value + self.a * np.asarray(parameters, float) ** -self.alpha
        if self.b is not None and self.beta is not None:
            value = value + self.b * np.asarray(data, float) ** -self.beta
        return value


def fit_power_law(
    parameters: np.ndarray, data: np.ndarray, losses: np.ndarray, floor: bool = True
) -> PowerLaw:
    """Fit the law by Huber's loss of log losses, from several starts (Hoffmann et al. 2022).

    Args:
        parameters: (R,) numbers of parameters.
        data: (R,) amounts of data, e.g. patches.
        losses: (R,) positive.
        floor: False = the loss goes to zero.

    Raises:
        ValueError: too few runs or sizes, or losses that are not positive.
    """
    sizes = [np.asarray(values, float) for values in (parameters, data)]
    y = np.asarray(losses, float)
    if len(y) < LEAST_RUNS or not (np.isfinite(y).all() and (y > 0).all()):
        raise ValueError(f"a power law needs {LEAST_RUNS} runs or more of positive loss")
    counts = [len(np.unique(values)) for values in sizes]
    varied = [count > 1 for count in counts]
    if max(counts) < LEAST_SIZES or any(1 < count < LEAST_SIZES for count in counts):
        raise ValueError(f"a power law needs {LEAST_SIZES} sizes or more along an axis that varies")
    # in units of their geometric mean, so that the exponents do not pull at the factors
    units = [float(np.exp(np.log(values).mean())) for values in sizes]
    scaled = [np.log(values / unit) for values, unit in zip(sizes, units, strict=True)]
    best = min(
        (_fit(scaled, varied, np.log(y), floor, start) for start in STARTS), key=lambda fit: fit[0]
    )
    bottom, terms = best[1]
    factors = [
        (None, None) if term is None else (term[0] * unit ** term[1], term[1])
        for unit, term in zip(units, terms, strict=True)
    ]
    (a, alpha), (b, beta) = factors
    law = PowerLaw(bottom, a, alpha, b, beta, error=0.0)
    error = float(np.sqrt(np.mean((law.loss(*sizes) / y - 1) ** 2)))
    return replace(law, error=error)


Terms = list[tuple[float, float] | None]


def _fit(
    scaled: list[np.ndarray],
    varied: list[bool],
    logs: np.ndarray,
    floor: bool,
    start: tuple[float, float, float],
) -> tuple[float, tuple[float, Terms]]:
    """Return the cost, and floor and terms (factor, exponent), of a fit from one start."""
    lowest = float(np.exp(logs.min()))
    share, *exponents = start
    first = [np.log(max(share, 1e-6) * lowest)] if floor else []
    for one, exponent in zip(varied, exponents, strict=True):
        first += [np.log((1 - share) * lowest), np.log(exponent)] if one else []

    def parts(values: np.ndarray) -> tuple[float, Terms]:
        rest = list(values)
        bottom = float(np.exp(rest.pop(0))) if floor else 0.0
        terms: Terms = []
        for one in varied:
            terms.append((float(np.exp(rest.pop(0))), float(np.exp(rest.pop(0)))) if one else None)
        return bottom, terms

    def residuals(values: np.ndarray) -> np.ndarray:
        bottom, terms = parts(values)
        total = np.full(len(logs), bottom)
        for size, term in zip(scaled, terms, strict=True):
            if term is not None:
                total = total + term[0] * np.exp(-term[1] * size)
        difference: np.ndarray = np.log(total) - logs
        return difference

    result = least_squares(residuals, first, loss="huber", f_scale=HUBER, max_nfev=2000)
    return float(result.cost), parts(result.x)

"""Paired comparison of a result with a control: unit by unit, never item by item of one unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEAST = 6  # units from which something is claimed
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Result of a paired test.

    Attributes:
        unit: what was paired, e.g. person.
        n: number of units.
        difference: mean over units of result less control.
        p: one-sided signed-rank (Wilcoxon); nan below six units.
    """

    unit: str
    n: int
    difference: float
    p: float

    @property
    def above(self) -> bool:
        """Whether the result may be called better than the control."""
        return self.difference > 0 and self.p < LEVEL


def compare(unit: str, names: np.ndarray, result: np.ndarray, control: np.ndarray) -> Comparison:
    """Compare results with a control, averaged within units.

    Args:
        unit: what `names` are, for the record.
        names: (N,) unit of each item.
        result, control: (N,) values, larger is better; pairs that are not finite are left out.
    """
    finite = np.isfinite(result) & np.isfinite(control)
    names, difference = names[finite], (result - control)[finite]
    groups = [difference[names == name].mean() for name in np.unique(names)]
    values = np.array(groups)
    if not len(values):
        return Comparison(unit, 0, float("nan"), float("nan"))
    p = float("nan")
    if len(values) >= LEAST:
        # all equal is no evidence, and no error
        p = float(stats.wilcoxon(values, alternative="greater").pvalue) if values.any() else 1.0
    return Comparison(unit, len(values), float(values.mean()), p)


def interval(
    names: np.ndarray, values: np.ndarray, resamples: int, seed: int
) -> tuple[float, float]:
    """Return a 95 % interval of the mean of values (N,), by resampling their units."""
    groups = [values[names == name] for name in np.unique(names)]
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(groups), size=(resamples, len(groups)))
    means = [np.nanmean(np.concatenate([groups[g] for g in draw])) for draw in draws]
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return float(low), float(high)

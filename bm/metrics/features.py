"""Metrics of decoded features, per recording and then over recordings (spec clip 5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..nn.feature_parts import FeaturePart
from .online import OnlineAccuracy, OnlineCorrelation, OnlineSquaredError


class FeatureMetrics:
    """`acc_<feature>` of classes; `l2_<feature>` and `corr_<feature>` of values.

    Each is the mean over recordings and positions of what a recording has there; l2 is the root of
    that mean. Positions where nothing counts are left out.

    Args:
        parts: where each feature stands in estimates and in targets; the two differ when one of
            them has classes.
    """

    def __init__(self, parts: Sequence[FeaturePart]) -> None:
        self.parts = tuple(parts)
        self.accuracy: dict[tuple[str, int], OnlineAccuracy] = {}
        self.error: dict[tuple[str, int], OnlineSquaredError] = {}
        self.correlation: dict[tuple[str, int], OnlineCorrelation] = {}

    def update(
        self, recording: int, estimate: np.ndarray, target: np.ndarray, mask: np.ndarray
    ) -> None:
        """Add windows of one recording: (N, F', T), (N, F, T), mask (N, 1, T)."""
        for part in self.parts:
            found, wanted = estimate[:, part.estimate], target[:, part.target]
            key = (part.name, recording)
            if part.categorical:
                self.accuracy.setdefault(key, OnlineAccuracy()).update(found, wanted, mask)
                continue
            self.error.setdefault(key, OnlineSquaredError()).update(found, wanted, mask)
            self.correlation.setdefault(key, OnlineCorrelation()).update(found, wanted, mask)

    def results(self) -> dict[str, float]:
        """Name -> value of every feature."""
        found: dict[str, float] = {}
        for part in self.parts:
            name = part.name
            if part.categorical:
                found[f"acc_{name}"] = _mean(_of(self.accuracy, name))
            else:
                found[f"l2_{name}"] = _mean(_of(self.error, name)) ** 0.5
                found[f"corr_{name}"] = _mean(_of(self.correlation, name))
        return found


def _of(metrics: dict, name: str) -> list[np.ndarray]:
    """Values of a feature, one array per recording."""
    return [metric.result() for (feature, _), metric in metrics.items() if feature == name]


def _mean(values: Iterable[np.ndarray]) -> float:
    """Mean over recordings and positions."""
    return float(np.nanmean(np.stack(list(values))))

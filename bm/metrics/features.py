"""Metrics of decoded features, per recording and then over recordings.

Source: the test metrics of the published code of Défossez et al. 2023.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..nn.feature_parts import FeaturePart
from .online import OnlineAccuracy, OnlineCorrelation, OnlineSquaredError


class FeatureMetrics:
    """`acc_<feature>` of classes; `l2_<feature>` and `corr_<feature>` of values.

    Each is the mean over recordings and positions of the recording's metric there; l2 is the root
    of that mean. Positions where nothing counts are left out. Recordings stay apart because a
    correlation over several of them would be one of their offsets.

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
            predicted, true = estimate[:, part.estimate], target[:, part.target]
            key = (part.name, recording)
            if part.categorical:
                self.accuracy.setdefault(key, OnlineAccuracy()).update(predicted, true, mask)
                continue
            self.error.setdefault(key, OnlineSquaredError()).update(predicted, true, mask)
            self.correlation.setdefault(key, OnlineCorrelation()).update(predicted, true, mask)

    def results(self) -> dict[str, float]:
        """Return name -> value of every feature."""
        values: dict[str, float] = {}
        for part in self.parts:
            name = part.name
            if part.categorical:
                values[f"acc_{name}"] = _mean(_of(self.accuracy, name))
            else:
                values[f"l2_{name}"] = _mean(_of(self.error, name)) ** 0.5
                values[f"corr_{name}"] = _mean(_of(self.correlation, name))
        return values


def _of(
    metrics: Mapping[tuple[str, int], OnlineAccuracy | OnlineSquaredError | OnlineCorrelation],
    name: str,
) -> list[np.ndarray]:
    """Return the values of a feature, one array per recording."""
    return [metric.result() for (feature, _), metric in metrics.items() if feature == name]


def _mean(values: Iterable[np.ndarray]) -> float:
    """Return the mean over recordings and positions."""
    # One mean over all, not of the recordings' means: as published.
    return float(np.nanmean(np.stack(list(values))))

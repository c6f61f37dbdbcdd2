"""Metrics over a stream of masked batches: correlation, squared error, accuracy per position.

Only positions whose mask is true are counted. Source: the test metrics of the published code of
Défossez et al. 2023.
"""

from __future__ import annotations

import numpy as np

SMALLEST = 1e-8  # norm below which a side counts as constant, as published


class OnlineCorrelation:
    """Pearson correlation over items, per channel and time, from running sums in float64."""

    def __init__(self) -> None:
        self.sums: np.ndarray | None = None

    def update(self, left: np.ndarray, right: np.ndarray, mask: np.ndarray) -> None:
        """Add items to the sums.

        Args:
            left, right: (N, C, T), real or complex.
            mask: (N, 1 or C, T), true where an item counts.
        """
        weight = np.broadcast_to(mask.astype(bool), left.shape).astype(float)
        x, y = left * weight, right * weight
        now = np.stack(
            [
                weight.sum(0) + 0 * x[0],  # of the type of x: complex sums stack with real ones
                x.sum(0),
                y.sum(0),
                (np.abs(x) ** 2).sum(0) + 0 * x[0],
                (np.abs(y) ** 2).sum(0) + 0 * x[0],
                (x * np.conj(y)).sum(0),
            ]
        )
        self.sums = now if self.sums is None else self.sums + now

    def result(self) -> np.ndarray:
        """Return correlations (C, T), the real part of complex ones; 0 where a side is constant.

        Raises:
            ValueError: no item was added.
        """
        if self.sums is None:
            raise ValueError("no item was added")
        count, x, y, xx, yy, xy = self.sums
        count = np.maximum(count.real, 1)  # where nothing was counted all sums are 0: so is r
        covariance = (xy - x * np.conj(y) / count).real
        left, right = (
            # Rounding may leave a constant side a variance just below 0.
            np.sqrt(np.maximum(square.real - np.abs(total) ** 2 / count, 0))
            for square, total in ((xx, x), (yy, y))
        )
        return np.asarray(covariance / (np.maximum(left, SMALLEST) * np.maximum(right, SMALLEST)))


class OnlineSquaredError:
    """Mean squared error per channel and time."""

    def __init__(self) -> None:
        self.total: np.ndarray | float = 0.0
        self.count: np.ndarray | float = 0.0

    def update(self, estimate: np.ndarray, target: np.ndarray, mask: np.ndarray) -> None:
        """Add items: (N, C, T) each, mask (N, 1 or C, T)."""
        weight = np.broadcast_to(mask.astype(bool), estimate.shape)
        self.total = self.total + (np.square(estimate - target) * weight).sum(0)
        self.count = self.count + weight.sum(0)

    def result(self) -> np.ndarray:
        """Return the errors (C, T), NaN where nothing was counted."""
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that is promised
            return np.asarray(self.total / np.asarray(self.count, float))

    def reduced(self) -> float:
        """Return the root of the mean over positions."""
        return float(np.sqrt(np.nanmean(self.result())))


class OnlineAccuracy:
    """Share of items whose largest channel is the label, per time."""

    def __init__(self) -> None:
        self.right: np.ndarray | float = 0.0
        self.count: np.ndarray | float = 0.0

    def update(self, scores: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> None:
        """Add items: scores (N, K, T), labels (N, 1, T), mask (N, 1, T)."""
        weight = mask.astype(bool)
        self.right = self.right + ((scores.argmax(1)[:, None] == labels) & weight).sum(0)
        self.count = self.count + weight.sum(0)

    def result(self) -> np.ndarray:
        """Return the shares (1, T), NaN where nothing was counted."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.right / np.asarray(self.count, float))

    def reduced(self) -> float:
        """Return the mean over positions."""
        return float(np.nanmean(self.result()))

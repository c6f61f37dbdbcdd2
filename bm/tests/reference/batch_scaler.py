"""Scaling of features in brainmagick (Défossez et al. 2023), batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from bm.data.window_features import FeatureKind


class BatchScaler:
    """Standard scaling of features over masked samples, as the original writes it.

    The product fits the same statistics in one pass over windows in float64
    (`bm.solvers.speech.feature_scaling`); this form holds all samples at once.

    Args:
        features: in the order of their rows.
        per_channel: one statistic per row of a feature instead of one for all its rows.

    Attributes:
        feature: name -> (centre, scale) of the normalizable ones, (1,) or (dimension,).
        counts: name -> (cardinality,) occurrences of the categorical ones.
    """

    def __init__(self, features: Sequence[FeatureKind], per_channel: bool = False) -> None:
        self.features, self.per_channel = tuple(features), per_channel
        self.feature: dict[str, tuple[Tensor, Tensor]] = {}
        self.counts: dict[str, Tensor] = {}

    def _rows(self) -> Iterable[tuple[FeatureKind, slice]]:
        first = 0
        for kind in self.features:
            yield kind, slice(first, first + kind.dimension)
            first += kind.dimension

    def fit(self, features: Tensor, masks: Tensor) -> None:
        """Compute the statistics of features (B, F, T) where their masks (B, 1, T) are true."""
        mask = masks[:, 0].bool()
        for kind, rows in self._rows():
            masked = features[:, rows].transpose(1, 2)[mask]  # (n, dimension)
            if kind.cardinality:
                classes = masked.long().flatten()
                self.counts[kind.name] = torch.bincount(classes, minlength=kind.cardinality)
            elif kind.normalizable:
                flat = masked if self.per_channel else masked.reshape(-1, 1)
                scale = flat.std(0)
                scale = torch.where(scale == 0, torch.ones_like(scale), scale)
                self.feature[kind.name] = (flat.mean(0), scale)

    def transform(self, features: Tensor) -> Tensor:
        """Return features (B, F, T) with the normalizable ones standardised."""
        result = features.clone()
        for kind, rows in self._rows():
            if kind.name in self.feature:
                centre, scale = (v[None, :, None] for v in self.feature[kind.name])
                result[:, rows] = (features[:, rows] - centre) / scale
        return result

    def class_weights(self, name: str) -> Tensor:
        """Return (cardinality,) 1 / sqrt(p) over the sum of sqrt(p), 0 for an absent class."""
        p = self.counts[name].float()
        p = p / p.sum()
        weights = torch.where(p > 0, p.clamp_min(torch.finfo(p.dtype).tiny) ** -0.5, p)
        return weights / p.sqrt().sum()

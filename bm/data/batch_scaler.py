"""The published scaling of brain signals and features (clip spec 2.10): robust, then clamped."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: Seed of the shuffle of feature batches before they are cut.
SHUFFLE_SEED = 1234


def robust_statistics(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Median and interquartile range of (n, C) samples, (C,) each; a range of zero becomes one.

    The q-quantile is the sorted value at index int(q n), without interpolation.
    """
    ordered = samples.sort(0).values
    low, middle, high = (ordered[int(q * len(ordered))] for q in (0.25, 0.5, 0.75))
    spread = high - low
    return middle, torch.where(spread == 0, torch.ones_like(spread), spread)


@dataclass(frozen=True)
class FeatureKind:
    """How one feature is scaled.

    Attributes:
        name: of the feature.
        dimension: its rows in the feature tensor.
        normalizable: standardised; others keep their values.
        cardinality: number of classes of a categorical feature, 0 for others.
    """

    name: str
    dimension: int
    normalizable: bool = False
    cardinality: int = 0


class BatchScaler:
    """Robust scaling per recording and channel; standard scaling of features over masked samples.

    Args:
        features: in the order of their rows.
        per_channel: one statistic per row of a feature instead of one for all its rows.

    Attributes:
        signal: (centre, scale) per recording, (C,) each.
        feature: name -> (centre, scale) of the normalizable ones, (1,) or (dimension,).
        counts: name -> (cardinality,) occurrences of the categorical ones.
    """

    def __init__(self, features: Sequence[FeatureKind], per_channel: bool = False) -> None:
        self.features, self.per_channel = tuple(features), per_channel
        self.signal: list[tuple[Tensor, Tensor]] = []
        self.feature: dict[str, tuple[Tensor, Tensor]] = {}
        self.counts: dict[str, Tensor] = {}

    def fit(
        self,
        recordings: Iterable[Iterable[tuple[Tensor, Tensor, Tensor]]],
        n_windows: int = 200,
        n_features: int = 8000,
    ) -> None:
        """Statistics from the training batches of each recording.

        Args:
            recordings: batches of signal (B, C, T), features (B, F, T) and mask (B, 1, T); whole
                batches are taken until `n_windows` windows of a recording are reached.
            n_features: windows for the features; the batches of all recordings are shuffled with
                a fixed seed first.
        """
        held: list[tuple[Tensor, Tensor]] = []
        for batches in recordings:
            signals: list[Tensor] = []
            for signal, features, mask in batches:
                signals.append(signal)
                held.append((features, mask))
                if sum(map(len, signals)) >= n_windows:
                    break
            taken = torch.cat(signals)
            self.signal.append(robust_statistics(taken.transpose(1, 2).reshape(-1, taken.shape[1])))
        random.Random(SHUFFLE_SEED).shuffle(held)
        count, last = 0, 0
        while last < len(held) and count < n_features:
            count += len(held[last][0])
            last += 1
        self._fit_features(*(torch.cat([pair[i] for pair in held[:last]]) for i in (0, 1)))

    def _fit_features(self, values: Tensor, masks: Tensor) -> None:
        mask = masks[:, 0].bool()
        for kind, rows in self._rows():
            masked = values[:, rows].transpose(1, 2)[mask]  # (n, dimension)
            if kind.cardinality:
                classes = masked.long().flatten()
                self.counts[kind.name] = torch.bincount(classes, minlength=kind.cardinality)
            elif kind.normalizable:
                flat = masked if self.per_channel else masked.reshape(-1, 1)
                scale = flat.std(0)
                scale = torch.where(scale == 0, torch.ones_like(scale), scale)
                self.feature[kind.name] = (flat.mean(0), scale)

    def _rows(self) -> Iterable[tuple[FeatureKind, slice]]:
        first = 0
        for kind in self.features:
            yield kind, slice(first, first + kind.dimension)
            first += kind.dimension

    def transform_signal(self, signal: Tensor, recording: Tensor) -> Tensor:
        """(B, C, T) scaled by the statistics of each window's recording (B,)."""
        pairs = [self.signal[r] for r in recording.tolist()]
        centre, scale = (torch.stack([pair[i] for pair in pairs])[..., None] for i in (0, 1))
        return (signal - centre) / scale

    def transform_features(self, features: Tensor, inverse: bool = False) -> Tensor:
        """(B, F, T) with the normalizable features standardised, or brought back."""
        result = features.clone()
        for kind, rows in self._rows():
            if kind.name in self.feature:
                centre, scale = (v[None, :, None] for v in self.feature[kind.name])
                part = features[:, rows]
                result[:, rows] = part * scale + centre if inverse else (part - centre) / scale
        return result

    def class_weights(self, name: str) -> Tensor:
        """(cardinality,) 1 / sqrt(p) over the sum of sqrt(p); 0 for a class that never occurs."""
        p = self.counts[name].float()
        p = p / p.sum()
        weights = torch.where(p > 0, p.clamp_min(torch.finfo(p.dtype).tiny) ** -0.5, p)
        return weights / p.sqrt().sum()

    def to_dict(self) -> Mapping[str, Tensor]:
        """All statistics as plain tensors by name, for a checkpoint."""
        found: dict[str, Tensor] = {}
        for index, (centre, scale) in enumerate(self.signal):
            found |= {f"signal.{index}.centre": centre, f"signal.{index}.scale": scale}
        for name, (centre, scale) in self.feature.items():
            found |= {f"feature.{name}.centre": centre, f"feature.{name}.scale": scale}
        return found | {f"counts.{name}": count for name, count in self.counts.items()}


def kept_windows(signal: Tensor, limit: float, mask: Tensor | None = None) -> Tensor:
    """(B,) bool: scaled windows (B, C, T) within ± `limit`, and with a mask (B, 1, T) not empty."""
    keep = signal.abs().flatten(1).amax(1) <= limit
    return keep if mask is None else keep & mask.bool().flatten(1).any(1)

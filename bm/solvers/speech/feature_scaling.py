"""Scaling of features from training windows, as part of the trained network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...data.window_features import FeatureKind
from ...errors import UserError

CHUNK = 64  # windows gathered at a time


class FeatureScaling(nn.Module):
    """(x - centre) / scale for values, nothing for classes; plain buffers, saved with the weights.

    Args:
        kinds: of the features, in the order of their channels.
        per_channel: one statistic per channel of a feature instead of one for all.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, kinds: Sequence[FeatureKind], per_channel: bool = False) -> None:
        super().__init__()
        self.kinds, self.per_channel = tuple(kinds), per_channel
        size = sum(kind.dimension for kind in kinds)
        self.register_buffer("centre", torch.zeros(size, 1))
        self.register_buffer("scale", torch.ones(size, 1))
        for kind in self.kinds:
            if kind.cardinality:
                self.register_buffer(f"count_{kind.name}", torch.zeros(kind.cardinality))

    def rows(self) -> Iterator[tuple[FeatureKind, slice]]:
        """Yield each feature with its channels."""
        first = 0
        for kind in self.kinds:
            yield kind, slice(first, first + kind.dimension)
            first += kind.dimension

    def forward(self, features: Tensor) -> Tensor:
        """Standardise features (B, F, T)."""
        return (features - self.centre) / self.scale

    def inverse(self, features: Tensor) -> Tensor:
        """Return standardised features to their values."""
        return features * self.scale + self.centre

    def class_weights(self, name: str) -> Tensor:
        """Return (classes,) 1 / sqrt(p) over the sum of sqrt(p); 0 for an absent class."""
        counts = getattr(self, f"count_{name}").float()
        p = counts / counts.sum()
        weights = torch.where(p > 0, p.clamp_min(torch.finfo(p.dtype).tiny) ** -0.5, p)
        # The mean weight over the samples is 1: sum of p / sqrt(p) is the sum of sqrt(p).
        return weights / p.sqrt().sum()

    def fit(self, windows: Iterator[tuple[Tensor, Tensor]]) -> None:
        """Fit the statistics in one pass, in float64.

        Args:
            windows: features (B, F, T) and mask (B, T) of what counts.
        """
        size = len(self.centre)
        total, squares = torch.zeros(2, size, dtype=torch.float64).unbind()
        count = 0
        for features, mask in windows:
            values = features.transpose(1, 2)[mask]  # (n, F)
            # Sums of squares of millions of samples lose the variance in float32.
            exact = values.double()
            total, squares = total + exact.sum(0), squares + exact.square().sum(0)
            count += len(values)
            for kind, rows in self.rows():
                if kind.cardinality:
                    classes = values[:, rows].long().flatten()
                    getattr(self, f"count_{kind.name}").add_(
                        torch.bincount(classes, minlength=kind.cardinality)
                    )
        if count < 2:
            raise UserError("dset.features: no sample to standardise on; see dset.event_mask")
        self._set_statistics(total, squares, count)

    def _set_statistics(self, total: Tensor, squares: Tensor, count: int) -> None:
        for kind, rows in self.rows():
            if not kind.normalizable or kind.cardinality:
                continue
            n = count if self.per_channel else count * kind.dimension
            sums = [v[rows] if self.per_channel else v[rows].sum() for v in (total, squares)]
            mean = sums[0] / n
            # Rounding can leave a tiny negative variance where a feature is constant.
            spread = ((sums[1] - n * mean**2).clamp_min(0) / (n - 1)).sqrt()
            self.centre[rows, 0] = mean.float()
            self.scale[rows, 0] = torch.where(spread > 0, spread, torch.ones_like(spread)).float()

    def describe(self) -> list[str]:
        """Return a line for each feature: how it is scaled."""
        lines = []
        for kind, rows in self.rows():
            text = f"{kind.name}: {kind.dimension} channels, "
            if kind.cardinality:
                text += f"{kind.cardinality} classes, as they are"
            elif kind.normalizable:
                mean, sd = float(self.centre[rows].mean()), float(self.scale[rows].mean())
                each = "each channel" if self.per_channel else "all channels together"
                text += f"standardised ({each}; mean {mean:.4g}, sd {sd:.4g})"
            else:
                text += "as it is"
            lines.append(text)
        return lines


def join_features(features: dict[str, Tensor], length: int) -> Tensor:
    """Concatenate features: (B, F, T) float32.

    Raises:
        UserError: a feature at another rate than the signal.
    """
    for name, value in features.items():
        if value.shape[-1] != length:
            raise UserError(f"feature {name}: {value.shape[-1]} samples, the signal has {length}")
    return torch.cat([value.float() for value in features.values()], 1)


def gather_features(dataset: Dataset, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Gather features (B, F, T) and mask (B, T) of windows of one length, without signals."""
    assert dataset.window_features is not None
    table, length = dataset.table, int(dataset.table["length"].iloc[rows[0]])
    recordings, starts = (table[c].to_numpy()[rows] for c in ("recording", "start"))
    features, mask = dataset.window_features.gather(recordings, starts, length)
    return join_features(features, length), mask


def training_windows(
    dataset: Dataset, per_recording: int, in_all: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features of training windows, at most so many of a recording and in all.

    The seed is fixed: which windows are read does not depend on the experiment's.
    """
    table, generator = dataset.table, np.random.Generator(np.random.Philox(key=[1234, 0]))
    train = dataset.rows("train")
    owners = table["recording"].to_numpy()[train]
    samples = [generator.permutation(train[owners == r])[:per_recording] for r in np.unique(owners)]
    rows = generator.permutation(np.concatenate(samples))[:in_all]
    lengths = table["length"].to_numpy()[rows]
    for length in np.unique(lengths):
        part = np.sort(rows[lengths == length])
        for first in range(0, len(part), CHUNK):
            yield gather_features(dataset, part[first : first + CHUNK])

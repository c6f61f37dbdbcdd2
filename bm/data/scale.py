"""Scaling of windows: statistics from training data, applied to a gathered block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..registry import check_known
from .signal import Signal

KINDS = ("none", "zscore", "robust")
EPSILON = 1e-8


def channel_statistics(
    signals: Sequence[Signal], table: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel over the training windows.

    Args:
        signals: all with the same channels.
        table: segment table with `split`.

    Returns:
        mean: (C,) and sd: (C,) float64.
    """
    total, squares, count = 0.0, 0.0, 0
    for row in table[table["split"] == "train"].itertuples():
        block = signals[row.recording].rows(row.start, row.length).double().numpy()
        total, squares = total + block.sum(0), squares + np.square(block).sum(0)
        count += len(block)
    mean = np.asarray(total) / count
    variance = np.asarray(squares) / count - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))


def recording_statistics(signal: Signal) -> tuple[np.ndarray, np.ndarray]:
    """Median and interquartile range per channel of one recording: (C,) each."""
    low, middle, high = np.percentile(signal.rows(0, signal.samples).numpy(), [25, 50, 75], axis=0)
    return middle, high - low


class Scaler:
    """x -> clamp((x - centre) / scale) with one centre and scale per channel and recording.

    Args:
        kind: none, zscore (training data of the channel set) or robust (per recording).
        clamp: largest absolute value, in units of the scale; None = none.
    """

    def __init__(self, kind: str, clamp: float | None) -> None:
        check_known("scaling", kind, KINDS)
        self.kind, self.clamp = kind, clamp
        self.centres: list[Tensor] = []
        self.scales: list[Tensor] = []

    def fit(self, signals: Sequence[Signal], table: pd.DataFrame, groups: Sequence[int]) -> None:
        """Statistics of every recording.

        Args:
            signals: of every recording.
            table: segment table with `split`.
            groups: channel set of each recording; z-scores are shared within one.
        """
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for index, signal in enumerate(signals):
            if self.kind == "none":
                pair = np.zeros(len(signal.channels)), np.ones(len(signal.channels))
            elif self.kind == "robust":
                pair = recording_statistics(signal)
            else:
                group = groups[index]
                if group not in found:
                    members = [i for i, g in enumerate(groups) if g == group]
                    rows = table[table["recording"].isin(members)]
                    if not (rows["split"] == "train").any():
                        rows = rows.assign(split="train")  # a channel set that never trains
                    found[group] = channel_statistics(signals, rows)
                pair = found[group]
            centre, scale = (torch.as_tensor(v, dtype=torch.float32) for v in pair)
            self.centres.append(centre)
            self.scales.append(torch.where(scale > EPSILON, scale, torch.ones_like(scale)))

    def apply(self, block: Tensor, recordings: Tensor) -> Tensor:
        """Scale (B, T, C) in place, window b by the statistics of recording `recordings[b]`."""
        if self.kind != "none":
            rows = recordings.tolist()
            block -= torch.stack([self.centres[r] for r in rows])[:, None]
            block /= torch.stack([self.scales[r] for r in rows])[:, None]
        if self.clamp is not None and self.kind != "none":
            block.clamp_(-self.clamp, self.clamp)
        return block

    def to_dict(self) -> dict[str, Any]:
        """Statistics of the first recording of a shared scaling, for `DataFacts.scaler`."""
        if self.kind != "zscore" or not self.centres:
            return {}
        return {"centre": self.centres[0].tolist(), "scale": self.scales[0].tolist()}


def build_scaler(scale: Mapping[str, Any]) -> Scaler:
    """The scaler that `dset.scale` describes."""
    return Scaler(scale["kind"], scale["clamp"])

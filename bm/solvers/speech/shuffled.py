"""Windows of speech with their features, and the control without a tie between both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...data.dataset import Dataset
from ...errors import UserError
from ..build_data import windows_of


def speech_windows_of(cfg: Any) -> Dataset:
    """Windows and features that `dset` describes; raises `UserError` without a feature."""
    if not cfg.dset.get("features"):
        raise UserError("dset.features is empty: name what is decoded, e.g. [MelSpectrum]")
    return windows_of(cfg)


class Shuffled(Dataset):
    """Control: each window keeps its features and gets the signal of another of its split.

    Signals are exchanged within channel sets, and with them subject and places of sensors, so that
    nothing but the tie between speech and brain is lost.
    """

    @classmethod
    def of(cls, dataset: Dataset, seed: int) -> Shuffled:
        """From a data set with features."""
        found = cls(dataset.signals, dataset.table, dataset.facts, f"shuffled|{dataset.hash}")
        found.scaler, found.window_features = dataset.scaler, dataset.window_features
        found.other = np.arange(len(found.table))
        generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
        layout = found.layout[found.table["recording"].to_numpy()]
        for _, rows in found.table.groupby([found.table["split"], layout, "length"]):
            found.other[rows.index] = generator.permutation(rows.index)
        return found

    other: np.ndarray

    def gather(self, rows: Sequence[int]) -> Any:
        """Signals of other rows, features of these."""
        index = np.asarray(rows)
        batch, own = super().gather(self.other[index].tolist()), super().gather(rows)
        batch.features, batch.feature_mask = own.features, own.feature_mask
        batch.segment, batch.label = own.segment, own.label
        return batch

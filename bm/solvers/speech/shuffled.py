"""Windows of speech, and the control whose signals and features belong to different windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.dataset import Dataset
from ...errors import UserError
from ..build_data import windows_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


def speech_windows_of(cfg: DictConfig) -> Dataset:
    """Build the windows and features of `dset`; raises `UserError` without a feature."""
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
        """Build the control of a data set with features."""
        shuffled = cls(dataset.signals, dataset.table, dataset.facts, f"shuffled|{dataset.hash}")
        shuffled.scaler, shuffled.window_features = dataset.scaler, dataset.window_features
        shuffled.people = dataset.people
        shuffled.augmentation = dataset.augmentation
        shuffled.other = np.arange(len(shuffled.table))
        generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
        layout = shuffled.layout[shuffled.table["recording"].to_numpy()]
        for _, rows in shuffled.table.groupby([shuffled.table["split"], layout, "length"]):
            shuffled.other[rows.index] = generator.permutation(rows.index)
        return shuffled

    other: np.ndarray

    def gather(self, rows: Sequence[int]) -> Any:
        """Gather signals of other rows, features of these."""
        index = np.asarray(rows)
        batch, heard = super().gather(self.other[index].tolist()), super().gather(rows)
        batch.features, batch.feature_mask = heard.features, heard.feature_mask
        batch.segment, batch.label = heard.segment, heard.label
        return batch

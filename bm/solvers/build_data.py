"""The data set of a configuration, and some windows of it to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dora import to_absolute_path

from ..data.batch import Batch
from ..data.dataset import Dataset, build_dataset
from ..data.store import Store
from ..studies import recordings_of
from ..studies.choice import Choice
from ..xp.resolve import to_plain


def absolute_paths(paths: Any) -> dict[str, Path]:
    """`paths` against the folder where the command was given, also in a clone of the commit."""
    return {str(name): Path(to_absolute_path(Path(value))) for name, value in paths.items()}


def windows_of(cfg: Any) -> Dataset:
    """The windows that `dset` and `paths` describe, through the store, with `dset.features`."""
    paths = absolute_paths(cfg.paths)
    dset = to_plain(cfg.dset)
    recordings, simulated = recordings_of(dset["studies"], paths, Choice.of(dset))
    dataset = build_dataset(recordings, dset, simulated, Store(paths["cache"]))
    if dset.get("features"):
        from ..features.builder import features_of

        dataset.attach_features(features_of(dset, dataset.signals, paths))
    return dataset


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of some rows, evenly spaced, so that all recordings are seen."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def batches_of(dataset: Dataset, rows: np.ndarray, size: int) -> list[Batch]:
    """Rows in batches of one channel set and length each, in their order."""
    groups = dataset.groups(rows)
    parts = [rows[groups == group] for group in dict.fromkeys(groups.tolist())]
    return [
        dataset.gather(own[first : first + size])
        for own in parts
        for first in range(0, len(own), size)
    ]


def commonest(dataset: Dataset, split: str, count: int, size: int) -> list[Batch]:
    """At most `count` windows of a split, evenly spaced, of the channel set that most have."""
    rows = dataset.rows(split)
    if not len(rows):
        return []
    groups = dataset.groups(rows)
    return batches_of(dataset, evenly(rows[groups == np.bincount(groups).argmax()], count), size)

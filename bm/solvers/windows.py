"""The data set of a configuration: studies, store, windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dora import to_absolute_path

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

        dataset.carry(features_of(dset, dataset.signals, paths))
    return dataset

"""The data set of a configuration, and samples of its windows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from dora import to_absolute_path

from ..data.batch import Batch
from ..data.dataset import Dataset, build_dataset
from ..data.store import Store
from ..errors import UserError
from ..features.builder import features_of
from ..studies import recordings_of
from ..studies.choice import Choice
from ..xp.resolve import to_plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: Written into the folder of an experiment that chooses channels.
CHANNELS_FILE = "channels.json"


def absolute_paths(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve `paths` against the folder of the command, also in a clone of the commit.

    `moved` is a list of pairs of folders, which stay as they are written.
    """
    # under git_save a job runs in a clone: relative paths are of the folder of the command
    return {
        str(name): Path(to_absolute_path(Path(value))) if isinstance(value, str) else value
        for name, value in paths.items()
    }


def windows_of(cfg: DictConfig, folder_of: Callable[[str], Path] | None = None) -> Dataset:
    """Build the windows that `dset` describes, through the store, with `dset.features`.

    Args:
        cfg: of the experiment.
        folder_of: finds the folder of an address, for `dset.channels=//sig/...`.
    """
    paths = absolute_paths(cfg.paths)
    dset = to_plain(cfg.dset)
    dset["channels"] = named_channels(dset.get("channels"), folder_of)
    recordings, simulated = recordings_of(dset["studies"], paths, Choice.of(dset))
    dataset = build_dataset(recordings, dset, simulated, Store(paths["cache"]))
    if dset.get("features"):
        dataset.attach_features(features_of(dset, dataset.signals, paths))
    return dataset


def named_channels(channels: object, folder_of: Callable[[str], Path] | None) -> Any:
    """Return `dset.channels` with the names in place of the address of a choice of channels.

    Raises:
        UserError: the address is of no such choice, or nothing here finds addresses.
    """
    if not isinstance(channels, str) or not channels.startswith("//"):
        return channels
    if folder_of is None:
        raise UserError(f"dset.channels={channels}: give the names themselves here")
    folder = folder_of(channels)
    # the best weights lie in a folder of the experiment
    path = next((p for p in (folder, folder.parent) if (p / CHANNELS_FILE).exists()), None)
    if path is None:
        raise UserError(
            f"dset.channels={channels}: no choice of channels there; solver=duin/channels makes one"
        )
    try:
        return list(json.loads((path / CHANNELS_FILE).read_text("utf-8"))["channels"])
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path / CHANNELS_FILE}: damaged; run the choice of channels again"
        ) from None


def evenly_spaced(rows: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of some rows, evenly spaced, so that all recordings take part."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def batches_of(dataset: Dataset, rows: np.ndarray, size: int) -> list[Batch]:
    """Gather rows in batches of one channel set and length each, in their order."""
    groups = dataset.groups(rows)
    parts = [rows[groups == group] for group in dict.fromkeys(groups.tolist())]
    return [
        dataset.gather(part[first : first + size].tolist())
        for part in parts
        for first in range(0, len(part), size)
    ]


def batches_of_commonest(dataset: Dataset, split: str, count: int, size: int) -> list[Batch]:
    """Gather at most `count` windows of a split, evenly spaced, of its commonest channel set."""
    rows = dataset.rows(split)
    if not len(rows):
        return []
    groups = dataset.groups(rows)
    members = rows[groups == np.bincount(groups).argmax()]
    return batches_of(dataset, evenly_spaced(members, count), size)

"""Split of recordings that nobody described: by people, sessions, recordings, or time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .segments import joined_ids

logger = logging.getLogger(__name__)
#: From the strictest to the loosest: what is told apart, columns that name it.
LEVELS = {
    "people": ("study", "subject"),
    "sessions": ("study", "subject", "session"),
    "recordings": ("study", "subject", "session", "run"),
}
LEAST = 3  # keys, so that each split has one


def auto_split(table: pd.DataFrame, split: Mapping[str, Any], removed: str) -> pd.Series:
    """Return the split of each window, by the strictest level of which there are three.

    Keys are dealt in an order that the seed decides, so that no split with a share stays empty;
    where each key has one label (patients and others), within each label. Below three recordings
    the windows of each label are cut in time: the first train, the last test.

    Args:
        table: segment table with ids.
        split: plain `dset.split` (`seed`, `ratios`).
        removed: what windows are called that would share time with another split.
    """
    ratios = {name: float(share) for name, share in split["ratios"].items() if float(share) > 0}
    for level, columns in LEVELS.items():
        keys = joined_ids(table, columns)
        if keys.nunique() >= max(LEAST, len(ratios)):
            names = _deal(keys, _labels_of(keys, table), ratios, int(split["seed"]))
            logger.info("dset.split.key=auto: by %s, of which there are %d", level, len(names))
            return keys.map(names)
    logger.info("dset.split.key=auto: by time, the last windows of each label are the test")
    return _by_time(table, ratios, removed)


def _labels_of(keys: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Return the label of each key, "" for all where some key has several."""
    labels = table["label"].map(str).groupby(keys).agg(lambda one: "|".join(sorted(set(one))))
    counts = labels.value_counts()
    several = labels.str.contains("|", regex=False).any() or (counts < LEAST).any()
    return labels.map(lambda label: "" if several else label)


def _deal(
    keys: pd.Series, labels: pd.Series, ratios: Mapping[str, float], seed: int
) -> dict[str, str]:
    """Return the split of each key; each has at least one key of every label."""
    names: dict[str, str] = {}
    for label in sorted(set(labels)):
        members = sorted(labels.index[labels == label])
        order = np.random.Generator(np.random.Philox(seed)).permutation(len(members))
        for place, split in zip(order, _shares(len(members), ratios), strict=True):
            names[members[place]] = split
    return names


def _shares(count: int, ratios: Mapping[str, float]) -> list[str]:
    """Return `count` names of splits in the order of `ratios`, each at least once.

    >>> _shares(5, {"train": 0.6, "valid": 0.15, "test": 0.25})
    ['train', 'train', 'train', 'valid', 'test']
    """
    rest = {name: share for name, share in ratios.items() if name != "train"}
    numbers = {name: max(1, round(share * count)) for name, share in rest.items()}
    while sum(numbers.values()) >= count and max(numbers.values(), default=0) > 1:
        numbers[max(numbers, key=lambda name: numbers[name])] -= 1
    names = [name for name in ratios for _ in range(numbers.get(name, 0))]
    return ["train"] * (count - len(names)) + names


def _by_time(table: pd.DataFrame, ratios: Mapping[str, float], removed: str) -> pd.Series:
    """Cut the windows of each label in order of time; windows across a border are left out."""
    result = pd.Series("train", index=table.index)
    for _, rows in table.groupby(table["label"].map(str), sort=True):
        order = rows.sort_values(["recording", "start"], kind="stable").index
        result[order] = _shares(len(order), ratios)
    ordered = table.sort_values(["recording", "start"], kind="stable")
    names = result[ordered.index].to_numpy(object)
    ends = (ordered["start"] + ordered["length"]).to_numpy()
    starts, owners = ordered["start"].to_numpy(), ordered["recording"].to_numpy()
    for row in range(1, len(names)):
        last = next((k for k in range(row - 1, -1, -1) if names[k] != removed), None)
        if last is None or owners[last] != owners[row] or ends[last] <= starts[row]:
            continue
        if names[last] != names[row]:
            names[row] = removed
    result[ordered.index] = names
    return result

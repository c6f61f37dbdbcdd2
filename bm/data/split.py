"""Which window trains, validates or tests: by the hash of a key, so that it never changes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from ..registry import check_known

SPLITS = ("train", "valid", "test")
#: What must stay together -> columns whose values name it.
KEYS: dict[str, tuple[str, ...]] = {
    "trial": ("study", "subject", "session", "run", "event_row"),
    "block": ("study", "subject", "session", "run", "event_row"),
    "recording": ("study", "subject", "session", "run"),
    "session": ("study", "subject", "session"),
    "subject": ("study", "subject"),
    "group": ("study", "group"),
    "sentence": ("study", "sequence_uid"),
    "block_uid": ("block_uid",),
}
#: Ways to draw the split of a key, and the order of the splits along [0, 1) in each.
ORDERS = {"hash": SPLITS, "published": ("test", "valid", "train")}
#: Seed of the published split of blocks (clip spec 2.3).
BLOCK_SEED = 12


def uniform_hash(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, the same on every machine."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def block_score(uid: str, seed: int = BLOCK_SEED) -> float:
    """Published score in [0, 1) of a block: first draw of a Mersenne twister (clip spec 2.3)."""
    number = int(hashlib.sha256(uid.encode()).hexdigest(), 16)
    return random.Random(number + seed).random()


def split_of_score(score: float, ratios: Mapping[str, float], order: Sequence[str]) -> str:
    """The first split of `order` whose cumulative ratio exceeds the score, else the last."""
    edge = 0.0
    for name in order[:-1]:
        edge += float(ratios.get(name, 0.0))
        if score < edge:
            return name
    return order[-1]


def assign(table: pd.DataFrame, split: Mapping[str, Any]) -> pd.Series:
    """Split of each row.

    Args:
        table: segment table with ids.
        split: key, seed, ratios (by split) and fixed ({split: {column: values}}).

    Raises:
        UserError: unknown key or split, ratios without a sum of 1, or an empty train split.
    """
    check_known("split key", split["key"], KEYS)
    for name in (*split["ratios"], *split["fixed"]):
        check_known("split", name, SPLITS)
    ratios = [float(split["ratios"].get(name, 0.0)) for name in SPLITS]
    if abs(sum(ratios) - 1) > 1e-6 or min(ratios) < 0:
        raise UserError(f"dset.split.ratios: {dict(split['ratios'])} do not sum to 1")
    missing = [c for c in KEYS[split["key"]] if c not in table]
    if missing:
        raise UserError(f"dset.split.key={split['key']}: the events have no {missing[0]!r}")
    keys = table[list(KEYS[split["key"]])].astype(str).agg("|".join, axis=1)
    edges = np.cumsum(ratios)
    drawn = {
        key: SPLITS[int(np.searchsorted(edges, uniform_hash(f"{split['seed']}|{key}"), "right"))]
        for key in keys.unique()
    }
    result = keys.map(drawn)
    for name, conditions in split["fixed"].items():
        chosen = pd.Series(True, index=table.index)
        for column, values in conditions.items():
            if column not in table:
                raise UserError(f"dset.split.fixed: no column {column!r} in the segment table")
            chosen &= table[column].astype(str).isin([str(v) for v in values])
        result[chosen] = name
    torn = result.groupby(keys).nunique()
    if (torn > 1).any():
        raise UserError(
            f"dset.split.fixed tears {split['key']} {torn.idxmax()} apart; choose a finer "
            "dset.split.key or fix whole keys"
        )
    if not (result == "train").any():
        raise UserError("dset.split leaves no window to train on")
    return result


def check_no_overlap(table: pd.DataFrame) -> None:
    """Raise `UserError` when a test or valid window shares recording time with a train window."""
    for number, rows in table.groupby("recording"):
        train = rows[rows["split"] == "train"].sort_values("start")
        other = rows[rows["split"] != "train"]
        if train.empty or other.empty:
            continue
        starts = train["start"].to_numpy()
        ends = np.maximum.accumulate(starts + train["length"].to_numpy())
        before = np.searchsorted(starts, (other["start"] + other["length"]).to_numpy(), "left")
        reach = np.where(before > 0, ends[np.maximum(before - 1, 0)], -1)
        if (reach > other["start"].to_numpy()).any():
            raise UserError(
                f"recording {number}: windows of different splits overlap in time; use a coarser "
                "dset.split.key or no overlap between windows"
            )

"""Split of windows into train, valid and test, by the hash of a key, so that it never changes."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError, there_is
from ..registry import check_known, check_mapping
from ..writing import write_text
from .auto_split import auto_split
from .held_out import leave_out, trial_names
from .recording import RecordingId
from .segments import PUBLISHED, joined_ids, lengths_of
from .selection import names_of

logger = logging.getLogger(__name__)
SPLITS = ("train", "valid", "test")
#: Pairs that must share nothing.
PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"))
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
    "auto": ("study", "subject", "session", "run"),  # see `auto_split`
}
#: Ways to draw the split of a key, and the order of the splits along [0, 1) in each.
ORDERS = {"hash": SPLITS, "published": ("test", "valid", "train")}
#: What is in no split.
REMOVED = "removed"
#: Seed of the published split of blocks: `split_assign_seed` of brainmagick (Défossez et al. 2023).
BLOCK_SEED = 12


def uniform_hash(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone, the same on every machine."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def trial_order(table: pd.DataFrame, seed: int) -> dict[str, float]:
    """Return a number in [0, 1) of each trial in a segment table, to draw trials in this order."""
    return {name: uniform_hash(f"{seed}|trial|{name}") for name in trial_names(table).unique()}


def block_score(uid: str, seed: int = BLOCK_SEED) -> float:
    """Return brainmagick's score in [0, 1) of a block: first draw of a Mersenne twister."""
    number = int(hashlib.sha256(uid.encode()).hexdigest(), 16)
    return random.Random(number + seed).random()


def split_of_score(score: float, ratios: Mapping[str, float], order: Sequence[str]) -> str:
    """Return the first split of `order` whose cumulative ratio exceeds the score, else the last."""
    edge = 0.0
    for name in order[:-1]:
        edge += float(ratios.get(name, 0.0))
        if score < edge:
            return name
    return order[-1]


def _draw(
    key: str, seed: int, method: str, ratios: Mapping[str, float], remove: float = 0.0
) -> str:
    order = ORDERS[method]
    if remove:  # between the others and train, so that they stay what they are
        ratios = {**ratios, REMOVED: remove, "train": float(ratios.get("train", 0.0)) - remove}
        place = order.index("train")
        order = (*order[:place], REMOVED, *order[place:])
    score = block_score(key, seed) if method == "published" else uniform_hash(f"{seed}|{key}")
    return split_of_score(score, ratios, order)


def checked_ratios(shares: Mapping[str, Any]) -> list[float]:
    """Return the shares of `SPLITS`; raise `UserError` unless they are numbers that sum to 1."""
    for name, ratio in shares.items():
        if not isinstance(ratio, int | float) or isinstance(ratio, bool):
            raise UserError(f"dset.split.ratios.{name}={ratio!r}: use a number from 0 to 1")
        if not 0 <= ratio <= 1:
            raise UserError(f"dset.split.ratios.{name}={ratio:g}: use a number from 0 to 1")
    ratios = [float(shares.get(name, 0.0)) for name in SPLITS]
    if not abs(sum(ratios) - 1) <= 1e-6:
        raise UserError(f"dset.split.ratios: {dict(shares)} do not sum to 1")
    return ratios


def assign(
    table: pd.DataFrame,
    split: Mapping[str, Any],
    remove: float = 0.0,
    left_aside: Sequence[RecordingId] = (),
) -> pd.Series:
    """Assign a split to each row.

    Args:
        table: segment table with ids.
        split: key, seed, ratios (by split), fixed ({split: {column: values}}) and, optionally,
            method: `hash` (SHA-256 of seed and key) or `published` (that of brainmagick: scores
            of `block_score`, test before valid before train), min_keys (see `check_counts`),
            left_out (see `leave_out`; `fixed` and `published` do nothing then), and published:
            false draws where a data set has a split of its own.
        left_aside: recordings without windows, which `fixed` may name all the same.
        remove: share of all keys that is taken from train and called `REMOVED`.

    Raises:
        UserError: unknown key or split, ratios without a sum of 1, more removed than trains, fixed
            splits that share windows, or an empty train split.
    """
    check_known("split key", split["key"], KEYS)
    method = split.get("method", "hash")
    check_known("split method", method, ORDERS)
    for name in (*split["ratios"], *(split.get("fixed") or {})):
        check_known("split", name, SPLITS)
    ratios = checked_ratios(split["ratios"])
    if split.get("left_out") is not None:
        return leave_out(table, split, trial_order(table, int(split["seed"])))
    if not 0 <= remove <= ratios[0]:
        raise UserError(f"dset.remove_ratio={remove}: the training split is {ratios[0]:g}")
    missing = [c for c in KEYS[split["key"]] if c not in table]
    if missing:
        raise UserError(f"dset.split.key={split['key']}: the events have no {missing[0]!r}")
    keys = joined_ids(table, KEYS[split["key"]])
    if split["key"] == "auto":  # what belongs together is decided there
        keys = pd.Series(range(len(table)), index=table.index).astype(str)
    draw = functools.partial(_draw, seed=split["seed"], method=method, ratios=split["ratios"])
    drawn = {key: draw(key, remove=remove) for key in keys.unique()}
    result = auto_split(table, split, REMOVED) if split["key"] == "auto" else keys.map(drawn)
    if split.get("published", True) and PUBLISHED in table:
        result = _published(table[PUBLISHED], keys, result, split)
    fixed = fixed_splits(table, split.get("fixed") or {}, left_aside)
    result = fixed.where(fixed.notna(), result)
    torn = result.groupby(keys).nunique()
    if (torn > 1).any():
        raise UserError(
            f"dset.split.fixed tears {split['key']} {torn.idxmax()} apart; choose a finer "
            "dset.split.key or fix whole keys"
        )
    if not (result == "train").any():
        raise UserError("dset.split leaves no window to train on")
    if int(split.get("min_keys", 1)) > 1:  # one key is there wherever there is any
        check_counts(table["recording"], keys, result, int(split["min_keys"]))
    return result


def _published(
    published: pd.Series, keys: pd.Series, drawn: pd.Series, split: Mapping[str, Any]
) -> pd.Series:
    """Return the split that a data set was published with, where windows have one.

    Without published windows for validation, those of training are divided by the ratios of train
    and valid.
    """
    result = published.where(published.notna(), drawn)
    train = published == "train"
    if (published == "valid").any():
        return result
    ratios = {name: float(split["ratios"].get(name, 0.0)) for name in ("train", "valid")}
    total = sum(ratios.values())
    if total <= 0:
        raise UserError("dset.split.ratios: nothing for train and valid")
    shares = {name: ratio / total for name, ratio in ratios.items()}
    method = split.get("method", "hash")
    parts = {key: _draw(key, split["seed"], method, shares) for key in keys[train].unique()}
    return result.where(~train, keys.map(parts))


def fixed_splits(
    table: pd.DataFrame, fixed: Mapping[str, Any], left_aside: Sequence[RecordingId]
) -> pd.Series:
    """Return the split that `dset.split.fixed` puts each row into, None for the others.

    Raises:
        UserError: see `fixed_rows`, or windows that two splits ask for.
    """
    result = pd.Series(None, index=table.index, dtype=object)
    for name, conditions in fixed.items():
        rows = fixed_rows(table, name, conditions, left_aside)
        if rows is None:
            continue
        taken = result[rows].dropna()
        if len(taken):
            raise UserError(
                f"dset.split.fixed puts {len(taken)} windows into both {taken.iloc[0]} and {name}; "
                "narrow one of them down"
            )
        result[rows] = name
    return result


def fixed_rows(
    table: pd.DataFrame,
    name: str,
    conditions: Mapping[str, Any] | None,
    left_aside: Sequence[RecordingId],
) -> pd.Series | None:
    """Return which rows are put into a split by `dset.split.fixed`; None when none is asked for.

    Args:
        table: segment table with ids.
        name: of the split.
        conditions: column -> values, all of which must be met; null unsets one.
        left_aside: recordings without windows.

    Raises:
        UserError: an unknown column, a value that is nobody's, or conditions that nobody meets.
    """
    check_mapping(f"dset.split.fixed.{name}", conditions, "subject: ['01']")
    required = {column: v for column, v in (conditions or {}).items() if v is not None}
    if not required:
        return None
    fixed = pd.Series(True, index=table.index)
    for column, values in required.items():
        key = f"dset.split.fixed.{name}.{column}"
        if column not in table:
            hint = there_is(map(str, table), column)
            raise UserError(f"{key}: no column {column!r} in the segment table; {hint}")
        texts = table[column].astype(str)
        elsewhere = {str(getattr(one, column)) for one in left_aside if hasattr(one, column)}
        fixed &= texts.isin(names_of(key, values, set(texts.unique()), elsewhere))
    if not fixed.any():
        text = " and ".join(f"{column} {values}" for column, values in required.items())
        logger.warning("dset.split.fixed.%s: no window is of %s", name, text)
        if not left_aside:
            raise UserError(f"dset.split.fixed.{name}: no window is of {text}; change one of them")
    return fixed


def check_filled(table: pd.DataFrame, split: Mapping[str, Any], validates: bool = True) -> None:
    """Raise unless there are windows of every split, but those that `allow_empty` names.

    A validation split of ratio 0 was asked for as well: the last epoch is the best one then.

    Args:
        table: segment table.
        split: plain `dset.split`.
        validates: whether an empty valid split is refused; else it is named in the log.

    Raises:
        UserError: an empty split, with the counts and the keys behind them.
    """
    allowed = list(split.get("allow_empty") or [])
    for name in allowed:
        check_known("split in dset.split.allow_empty", name, SPLITS)
    counts = {name: int((table["split"] == name).sum()) for name in SPLITS}
    fixed = (split.get("fixed") or {}).get("valid")
    if not fixed and not float(split["ratios"].get("valid", 0.0)):
        allowed.append("valid")
    elif not counts["valid"] and not validates and "valid" not in allowed:
        # Six people drawn with a share of .15 leave it empty in .85 ** 6 = 38 % of draws.
        logger.warning("split valid is empty: no epoch is chosen, the last one counts")
        allowed.append("valid")
    for name in SPLITS:
        if counts[name] or name in allowed:
            continue
        present = [column for column in KEYS[split["key"]] if column in table]
        keys = len(table.drop_duplicates(present)) if present else 0
        listed = ", ".join(f"{n} {which}" for which, n in counts.items())
        raise UserError(
            f"split {name} is empty (windows: {listed}; {keys} keys of dset.split.key="
            f"{split['key']}, dset.split.ratios {dict(split['ratios'])}); give it a share, choose "
            f"a finer key, or set dset.split.allow_empty=[{name}]"
        )


def check_counts(recordings: pd.Series, keys: pd.Series, splits: pd.Series, least: int) -> None:
    """Raise unless every recording has at least `least` keys in each split it takes part in.

    Brainmagick's `min_n_blocks_per_split`; rows that are left out do not count.

    Raises:
        UserError: the first recording that has not.
    """
    in_use = splits != REMOVED
    owners = [recordings[in_use], splits[in_use]]
    counts = keys[in_use].groupby(owners, sort=True).nunique()
    for (recording, name), count in counts[counts < least].items():
        raise UserError(
            f"recording {recording} has {count} keys in split {name}, fewer than "
            f"dset.split.min_keys={least}; lower it, or change dset.split.ratios or seed"
        )


def overlapping_windows(
    table: pd.DataFrame, splits: tuple[str, str], tolerance: int = 0
) -> pd.DataFrame:
    """Return windows of the second split that share recording time with one of the first.

    Args:
        table: recording, start, length (samples) and split.
        splits: two names.
        tolerance: samples that two windows may share (inclusive windows meet at a block's edge).
    """
    owners, starts, names = (table[name].to_numpy() for name in ("recording", "start", "split"))
    lengths = lengths_of(table)
    first, second = (np.flatnonzero(names == name) for name in splits)
    if not len(first) or not len(second):
        return table.iloc[:0]
    # All recordings in one pass: each gets a stretch of its own on one line of samples. A table of
    # 2,000 recordings took 4.0 s one by one, 4 ms so.
    low = min(int(starts[first].min()), int(starts[second].min())) - abs(tolerance)
    span = int(max((starts + lengths)[first].max(), (starts + lengths)[second].max())) - low
    _, number = np.unique(owners, return_inverse=True)
    base = number.astype(np.int64) * (span + abs(tolerance) + 1) - low
    order = first[np.argsort(starts[first] + base[first], kind="stable")]
    begins = starts[order] + base[order]
    reach = np.maximum.accumulate(begins + lengths[order])
    stops = starts[second] + base[second] + lengths[second] - tolerance
    before = np.searchsorted(begins, stops, "left")
    # A window of another recording ends before this one's stretch begins.
    last = np.where(before > 0, reach[np.maximum(before - 1, 0)], np.iinfo(np.int64).min // 2)
    shared = last - tolerance > starts[second] + base[second]
    rows = second[shared]
    return table.iloc[rows[np.argsort(owners[rows], kind="stable")]]


def overlaps(
    table: pd.DataFrame, tolerance: int = 0
) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield each pair of splits that share recording time, with the windows of the second.

    Args:
        table, tolerance: as in `overlapping_windows`.
    """
    for splits in PAIRS:
        shared = overlapping_windows(table, splits, tolerance)
        if len(shared):
            yield splits, shared


def check_no_overlap(table: pd.DataFrame, tolerance: int = 0) -> None:
    """Raise `UserError` when windows of any two splits share recording time."""
    for splits, shared in overlaps(table, tolerance):
        raise UserError(
            f"recording {shared['recording'].iloc[0]}: windows of different splits overlap in "
            f"time ({len(shared)} of {splits[1]} with {splits[0]}); use a coarser "
            "dset.split.key or no overlap between windows"
        )


def write_splits(table: pd.DataFrame, folder: Path) -> Path:
    """Write which window is in which split: `splits.csv`, and its counts: `splits.json`.

    Each file is written aside and renamed, so that a reader finds it whole or not at all.

    Returns:
        path of `splits.csv`.
    """
    names = ("study", "subject", "session", "run", "start", "start_s", "length", "event_row",
             "label", "block_uid", "sequence_uid", "split")  # fmt: skip
    columns = table[[name for name in names if name in table]]
    counts = {name: int((table["split"] == name).sum()) for name in SPLITS}
    summary = {"windows": counts, "left_out": int(table.attrs.get("left_out", 0))}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("splits.json", json.dumps(summary, indent=1) + "\n"),
        ("splits.csv", columns.to_csv(index_label="segment")),
    ):
        write_text(folder / name, text)
    return folder / "splits.csv"

"""Scores of test items and of people, read from the items of an evaluation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pyarrow import parquet

Key = TypeVar("Key", bound=Hashable)

#: What tells an item; with its number where several are alike (events of several channels).
IDENTITY = ("study", "subject", "session", "run", "start_s")


@dataclass
class Scores:
    """Scores of one experiment, or means over several with the same items.

    Attributes:
        items: key of an item, see `keys_of` -> score from 0 to 1.
        people: `study/subject` -> mean score of the person's items.
        counts: `study/subject` -> number of items.
    """

    items: dict[Hashable, float] = field(default_factory=dict)
    people: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def score_column(items: pd.DataFrame, extra: Mapping[str, Any], metric: str) -> np.ndarray | None:
    """Return the score of each item, None where the evaluation scores no items by this metric.

    Args:
        items: one row per test item.
        extra: of the evaluation; `item_scores` says for a metric which column scores an item, and
            below which value it counts as right. Without it an item is right when its prediction
            is its label.
        metric: e.g. `top10_accuracy`, whose items are right where `rank` is below 10.
    """
    if "item_scores" not in extra:
        if not {"label", "prediction"} <= set(items.columns):
            return None
        return (items["label"] == items["prediction"]).to_numpy(dtype=float)
    rule = extra["item_scores"].get(metric)
    if rule is None:
        return None
    values = items[rule["column"]].to_numpy(dtype=float)
    return (values < rule["below"]).astype(float) if "below" in rule else values


def read_scores(path: Path, extra: Mapping[str, Any], metric: str) -> Scores:
    """Read the scores of the items in a file; empty when there are none.

    Args:
        path: `items.parquet` of an experiment.
        extra, metric: see `score_column`.
    """
    if not path.exists():
        return Scores()
    columns = {*IDENTITY, "recording", "label", "prediction"}
    columns |= {rule["column"] for rule in extra.get("item_scores", {}).values()}
    names = [name for name in parquet.read_schema(path).names if name in columns]
    frame = pd.read_parquet(path, columns=names)  # lists of candidates stay on the disk
    values = score_column(frame, extra, metric)
    if values is None or not len(frame):
        return Scores()
    scores = Scores(dict(zip(keys_of(frame).tolist(), values.tolist(), strict=True)))
    if "subject" in frame:
        people = frame["study"] + "/" + frame["subject"] if "study" in frame else frame["subject"]
        groups = pd.Series(values).groupby(people.to_numpy())
        scores.people, scores.counts = groups.mean().to_dict(), groups.size().to_dict()
    return scores


def keys_of(items: pd.DataFrame) -> np.ndarray:
    """Return a number for each item that is the same wherever it is evaluated: (N,) uint64.

    Items alike in `IDENTITY` are numbered. The number of a recording depends on the selection of
    recordings, and serves only where nothing else tells an item.
    """
    columns = [n for n in IDENTITY if n in items] if "run" in items else ["recording", "start_s"]
    base = pd.util.hash_pandas_object(items[columns], index=False)
    number = base.groupby(base).cumcount().to_numpy(dtype=np.uint64)
    return base.to_numpy() + number * np.uint64(0x9E3779B97F4A7C15)  # an odd number: all differ


def _shared_means(tables: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
    """Return the mean over several tables of each key that all of them have."""
    keys = set.intersection(*(set(table) for table in tables))
    ordered = sorted(keys)  # type: ignore[type-var]
    return {key: sum(table[key] for table in tables) / len(tables) for key in ordered}


def mean_scores(parts: Sequence[Scores]) -> Scores:
    """Return means over seeds of the items and people that all of them have."""
    if not parts:
        return Scores()
    # Of what all seeds tested: else a mean would be over other people in every seed.
    people = _shared_means([part.people for part in parts])
    counts = {name: parts[0].counts[name] for name in people}
    return Scores(_shared_means([part.items for part in parts]), people, counts)

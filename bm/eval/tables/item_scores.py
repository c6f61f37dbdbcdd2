"""Scores of test items and of people, read from the items of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet

from ...metrics.intervals import Interval, share_interval
from ...metrics.units import Units, names_of, units_of

#: What tells an item; with its number where several are alike (events of several channels).
IDENTITY = ("study", "subject", "session", "run", "start_s")
#: Columns that tell the unit of an item.
WHERE = ("study", "subject", "session", "run", "segment_hash")
#: Metric over classes of which each weighs the same.
BALANCED = "balanced_accuracy"


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({"score": np.empty(0), "class": np.empty(0, int)})


@dataclass
class Scores:
    """Scores of one experiment, or means over several with the same items.

    Attributes:
        items: indexed by the key of an item, see `keys_of`: `score` from 0 to 1, `class` (of
            balanced accuracy, else 0), and the columns of `WHERE` that there are.
    """

    items: pd.DataFrame = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def units(self) -> Units:
        """Unit of evidence of each item."""
        return units_of(self.items)

    @property
    def people(self) -> dict[str, float]:
        """Return `study/subject` -> mean score of the person's items."""
        return {str(k): float(v) for k, v in self._by_person().mean().items()}

    @property
    def counts(self) -> dict[str, int]:
        """Return `study/subject` -> number of items."""
        return {str(k): int(v) for k, v in self._by_person().size().items()}

    def interval(self) -> Interval | None:
        """Return the 95 % interval of the mean score over units; None of too few units."""
        classes = self.items["class"].to_numpy()
        return share_interval(self.items["score"].to_numpy(), self.units, classes)

    def weights(self) -> np.ndarray:
        """Return how much each item weighs in the mean, (N,) with a sum of 1."""
        classes = self.items["class"]
        sizes = classes.groupby(classes).transform("size")
        return (1 / (sizes * classes.nunique())).to_numpy(dtype=float)

    def of_person(self, name: str) -> Scores:
        """Return the scores of the items of `study/subject`."""
        names = names_of(self.items, "person")
        return Scores(self.items[names == name])

    def _by_person(self) -> Any:
        names = names_of(self.items, "person")
        values = self.items["score"]
        return values.groupby(names) if names is not None else values[:0].groupby(values[:0])


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
    columns = {*IDENTITY, *WHERE, "recording", "label", "prediction"}
    columns |= {rule["column"] for rule in extra.get("item_scores", {}).values()}
    names = [name for name in parquet.read_schema(path).names if name in columns]
    frame = pd.read_parquet(path, columns=names)  # lists of candidates stay on the disk
    values = score_column(frame, extra, metric)
    if values is None or not len(frame):
        return Scores()
    items = frame[[name for name in WHERE if name in frame]].copy()
    items["score"] = values
    # classes weigh the same in a balanced accuracy, items in all else
    balanced = metric == BALANCED and "item_scores" not in extra
    items["class"] = frame["label"].to_numpy() if balanced else 0
    return Scores(items.set_axis(keys_of(frame)))


def keys_of(items: pd.DataFrame) -> np.ndarray:
    """Return a number for each item that is the same wherever it is evaluated: (N,) uint64.

    Items alike in `IDENTITY` are numbered. The number of a recording depends on the selection of
    recordings, and serves only where nothing else tells an item.
    """
    columns = [n for n in IDENTITY if n in items] if "run" in items else ["recording", "start_s"]
    base = pd.util.hash_pandas_object(items[columns], index=False)
    number = base.groupby(base).cumcount().to_numpy(dtype=np.uint64)
    return base.to_numpy() + number * np.uint64(0x9E3779B97F4A7C15)  # an odd number: all differ


def mean_scores(parts: Sequence[Scores]) -> Scores:
    """Return means over seeds of the items that all of them have, in one order.

    Of what all seeds tested: else a mean would be over other people in every seed.
    """
    if not parts:
        return Scores()
    shared = parts[0].items.index
    for part in parts[1:]:
        shared = shared.intersection(part.items.index)
    items = parts[0].items.loc[shared.sort_values()].copy()
    items["score"] = np.mean([p.items["score"].loc[items.index] for p in parts], axis=0)
    return Scores(items)

"""The split of recordings that nobody described: the strictest level, no empty split, no leak."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bm.data.split import assign, check_no_overlap

SPLIT = {"key": "auto", "seed": 0, "ratios": {"train": 0.6, "valid": 0.15, "test": 0.25}}


def table_of(subjects: int, sessions: int = 1, runs: int = 1, labels: str = "ab") -> pd.DataFrame:
    """Twelve windows a recording, one second apart, of labels in turn."""
    ids = [(s, e, r) for s in range(subjects) for e in range(sessions) for r in range(runs)]
    return pd.DataFrame(
        [
            {"study": "x", "subject": str(s), "session": str(e), "run": str(r), "recording": n,
             "start": 100 * k, "length": 100, "event_row": k, "label": labels[k % len(labels)]}
            for n, (s, e, r) in enumerate(ids) for k in range(12)
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "level"),
    [((7, 2, 2), ["subject"]), ((2, 3, 1), ["subject", "session"]),
     ((1, 1, 4), ["run"]), ((3, 1, 1), ["subject"])],
)  # fmt: skip
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nobody_is_in_two_splits(counts: tuple[int, ...], level: list[str], seed: int) -> None:
    table = table_of(*counts)
    table["split"] = assign(table, {**SPLIT, "seed": seed})
    assert set(table["split"]) == {"train", "valid", "test"}
    assert (table.groupby(level)["split"].nunique() == 1).all()


def test_people_of_one_label_each_are_dealt_by_label() -> None:
    table = table_of(8)
    table["label"] = np.where(table["subject"].astype(int) < 4, "patient", "other")
    table["split"] = assign(table, SPLIT)
    assert (table.groupby("split")["label"].nunique() == 2).all()


@pytest.mark.parametrize("subjects", [1, 2])
def test_fewer_are_cut_in_time_without_overlap(subjects: int) -> None:
    table = table_of(subjects)
    table["length"] = 130  # neighbours share samples
    table["split"] = assign(table, SPLIT)
    check_no_overlap(table[table["split"] != "removed"])
    assert {"train", "valid", "test"} <= set(table["split"])
    assert (table.groupby("split")["label"].nunique().loc[["train", "test"]] == 2).all()
    assert (table["split"] == "removed").sum() <= 6


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_windows_without_a_label_are_cut_in_time_too(missing: object) -> None:
    """Symptom: `eegdiff/folder` on two files had no window of validation and test."""
    table = table_of(2)
    table["label"] = pd.Series([missing] * len(table), dtype="str")
    table["split"] = assign(table, SPLIT)
    assert set(table["split"]) == {"train", "valid", "test"}

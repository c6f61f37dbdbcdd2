"""Splits of transfer: a unit left out in turn, and few trials of each class."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bm.data import split
from bm.data.held_out import few_shots, leave_out, permute_labels
from bm.errors import UserError

CLASSES = ("left", "right")


def table(people: int = 4, trials: int = 10, windows: int = 2) -> pd.DataFrame:
    """People with two sessions of trials, two windows a trial, classes in turn."""
    rows = [
        {"study": "s", "subject": f"p{p}", "session": str(s), "run": "0", "event_row": t,
         "recording": 2 * p + s, "start": 100 * t + w, "label": t % 2}
        for p in range(people) for s in range(2) for t in range(trials) for w in range(windows)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def options(**changes: Any) -> dict[str, Any]:
    ratios = {"train": 0.75, "valid": 0.25}
    return {"key": "subject", "seed": 0, "ratios": ratios, "left_out": 0, **changes}


@pytest.mark.parametrize("number", range(4))
def test_each_person_is_the_test_in_turn(number: int) -> None:
    rows = table()
    rows["split"] = split.assign(rows, options(left_out=number, fixed={"test": {"session": ["0"]}}))
    assert set(rows["subject"][rows["split"] == "test"]) == {f"p{number}"}
    trials = rows[rows["split"] != "test"].groupby(["subject", "session", "event_row"])["split"]
    assert (trials.nunique() == 1).all() and (trials.first() == "valid").sum() == 15  # of 60


def test_a_session_is_left_out_of_everybody() -> None:
    rows = table()
    rows["split"] = split.assign(rows, options(key="session", left_out=1))
    test = rows[rows["split"] == "test"]
    assert set(test["session"]) == {"1"} and set(test["subject"]) == {"p0", "p1", "p2", "p3"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"left_out": 4}, r"there are 4 units of dset.split.key=subject \(s/p0, ...\); use 0 to 3"),
        ({"left_out": -1}, "use 0 to 3"),
        ({"left_out": "p1"}, "use 0 to 3"),
        ({"key": "trial"}, "names no unit; use one of subject"),
        ({"key": "group"}, "the events have no 'group'"),
    ],
)
def test_units_that_are_not_there_are_one_line(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        split.assign(table(), options(**changes))
    with pytest.raises(UserError, match="p0 is alone"):
        leave_out(table(people=1), options(), split.trial_order(table(1), 0))


def shots_of(rows: pd.DataFrame, shots: Any, seed: int = 0) -> pd.DataFrame:
    return rows[few_shots(rows, shots, CLASSES, split.trial_order(rows, seed))]


def test_few_shots_are_whole_trials_and_among_those_of_more() -> None:
    rows = table()
    rows["split"] = split.assign(rows, options())
    seen: set[Any] = set()
    for shots in (1, 5, 10):
        chosen = shots_of(rows, shots)
        train = chosen[chosen["split"] == "train"]
        trials = train.groupby("label")[["subject", "session", "event_row"]]
        assert all(len(part.drop_duplicates()) == shots for _, part in trials)
        assert len(train) == 2 * shots * 2  # windows: two of each trial of two classes
        names = set(map(tuple, train[["subject", "session", "event_row"]].to_numpy()))
        assert seen <= names
        seen = names
        others = chosen["split"] != "train"
        assert others.sum() == (rows["split"] != "train").sum()
    other = shots_of(rows, 10, seed=1)
    assert set(other.index) != set(chosen.index)


@pytest.mark.parametrize(
    ("shots", "text"),
    [
        (50, "class 'left' has 2. training trials; use at most 2.,"),
        (0, "use a number of trials from 1"),
        (True, "use a number of trials from 1"),
    ],
)
def test_more_shots_than_trials_is_one_line(shots: Any, text: str) -> None:
    rows = table()
    rows["split"] = split.assign(rows, options())
    with pytest.raises(UserError, match=text):
        shots_of(rows, shots)
    with pytest.raises(UserError, match="the windows have no classes"):
        few_shots(rows, 1, (), split.trial_order(rows, 0))


def test_labels_of_training_and_validation_change_places_and_others_stay() -> None:
    rows = table(trials=40)
    rows["split"] = split.assign(rows, options(key="trial", left_out=None))
    # every fourth window is of the test
    rows.loc[rows.index % 4 == 0, "split"] = "test"
    mixed = permute_labels(rows, CLASSES, 0)
    test = rows["split"] == "test"
    assert test.any() and (mixed[test] == rows["label"][test]).all()
    for name in ("train", "valid"):
        part = rows["split"] == name
        assert sorted(mixed[part]) == sorted(rows["label"][part])
        assert (mixed[part] == rows["label"][part]).mean() < 0.7  # of about .5 by chance
    assert (mixed == permute_labels(rows, CLASSES, 0)).all()
    with pytest.raises(UserError, match="permute_labels"):
        permute_labels(rows, (), 0)

"""Selections that select nothing say so: the value, the nearest one, and what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bm.data.dataset import Dataset, build_dataset
from bm.data.selection import check_label, name_of
from bm.data.split import check_filled
from bm.errors import UserError
from bm.studies import build_study, recordings_of
from bm.studies.folder import Folder

from .noise_files import dset, write


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for number in range(1, 4):
        write(tmp_path / "data" / f"sub-0{number}" / f"sub-0{number}_eeg.fif", number)
    return tmp_path / "data"


def build(study: Path, **changes: Any) -> Dataset:
    return build_dataset(Folder(path=str(study)).recordings(), dset(**changes))


def split(fixed: Any, **changes: Any) -> dict[str, Any]:
    rule = {"key": "subject", "seed": 0, "ratios": {"train": 1.0}, "fixed": fixed}
    return {**rule, **changes}


@pytest.mark.parametrize(
    ("value", "names", "name"),
    [
        (1, ["01", "02"], "01"),
        ("1", ["01", "1"], "1"),
        (1, ["01", "001"], None),
        ("sub-01", ["01"], "01"),
        ("01", ["sub-01"], "sub-01"),
        ("sub-1", ["01"], "01"),
        (True, ["True"], "True"),
        ("a-b", ["b"], "b"),
        ("x", ["y"], None),
    ],
)
def test_names_are_understood(value: Any, names: list[str], name: str | None) -> None:
    assert name_of(value, names) == name


@pytest.mark.parametrize("who", [[1], ["sub-01"], ["01"], 1])
def test_fixed_people_are_put_where_they_belong(study: Path, who: Any) -> None:
    table = build(study, split=split({"test": {"subject": who}})).table
    assert set(table.loc[table["split"] == "test", "subject"]) == {"01"}


@pytest.mark.parametrize(
    ("fixed", "text"),
    [
        ({"test": {"subject": ["01", "O2"]}}, "subject: 'O2' selects nothing"),
        ({"test": {"session": ["eval"]}}, "'eval' selects nothing; there is: 0"),
        ({"test": {"subjct": ["01"]}}, "did you mean 'subject'?"),
        ({"test": {"subject": []}}, "an empty list selects nothing"),
        ({"test": {"subject": ["01"], "run": ["9"]}}, "'9' selects nothing"),
        ({"tset": {"subject": ["01"]}}, "did you mean 'test'"),
    ],
)
def test_fixed_that_names_nobody_is_refused(study: Path, fixed: Any, text: str) -> None:
    with pytest.raises(UserError, match=text.replace("?", r"\?")):
        build(study, split=split(fixed))


def test_null_unsets_what_was_fixed(study: Path) -> None:
    for fixed in ({"test": None}, {"test": {"subject": None}}, None):
        assert set(build(study, split=split(fixed)).table["split"]) == {"train"}


def test_a_person_that_could_not_be_read_may_be_named(study: Path, caplog: Any) -> None:
    path = study / "sub-03" / "sub-03_eeg.fif"
    path.write_bytes(path.read_bytes()[:3000])
    table = build(study, strict=False, split=split({"test": {"subject": ["02", "03"]}})).table
    assert set(table.loc[table["split"] == "test", "subject"]) == {"02"}
    assert "03 could not be read" in caplog.text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "word"}, "their events: 12 trial, 3 block; none is of kind 'word'"),
        ({"query": "label == 'c'"}, r"labels: a \(6\), b \(6\); none meets"),
        ({"duration_s": 60.0}, r"all 12 windows of 60\.0 s, from 0 s .* reach outside"),
        ({"stride_s": 0.5}, "too short for dset.segment"),
        ({"query": "lable == 'a'"}, "did you mean 'label'"),
        ({"kind": "recording", "duration_s": 60.0, "stride_s": 1.0}, "longest of 30 s"),
    ],
)
def test_no_window_says_why(study: Path, changes: dict[str, Any], text: str) -> None:
    segment = {"kind": "trial", "duration_s": 1.0, "label": "label"}
    with pytest.raises(UserError, match=text):
        build(study, segment={**segment, **changes})


def test_a_mistyped_label_is_named() -> None:
    events = [pd.DataFrame({"kind": ["trial"], "start_s": 0.0, "duration_s": 1.0, "label": "a"})]
    check_label("label", events, "trial")
    with pytest.raises(UserError, match=r"lable: no event .*'label'"):
        check_label("lable", events, "trial")


def test_empty_splits_are_refused_unless_asked_for(study: Path, caplog: Any) -> None:
    table = build(study).table
    rule = split({}, ratios={"train": 0.98, "valid": 0.01, "test": 0.01})
    with pytest.raises(UserError, match=r"split valid is empty \(windows: 12 train, 0 valid"):
        check_filled(table, rule)
    with pytest.raises(UserError, match=r"allow_empty=\[test\]"):
        check_filled(table, {**rule, "allow_empty": ["valid"]})
    check_filled(table, {**rule, "allow_empty": ["valid", "test"]})
    check_filled(table, {**rule, "allow_empty": ["test"]}, validates=False)
    assert "the last one counts" in caplog.text
    with pytest.raises(UserError, match="did you mean 'test'"):
        check_filled(table, {**rule, "allow_empty": ["tset"]})


def test_subjects_and_counts_that_select_nothing(tmp_path: Path) -> None:
    paths = {"studies": str(tmp_path), "cache": str(tmp_path)}
    entry = {"study": "simulated", "mode": "motor", "preset": "tiny"}
    assert build_study(entry, paths).recordings()
    for count in (0, -1, "two"):
        with pytest.raises(UserError, match="n_recordings"):
            recordings_of([{**entry, "n_recordings": count}], paths)

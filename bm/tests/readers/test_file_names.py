"""Files of one person beside each other are not taken for people without a word."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest

from bm.readers.file_names import NUMBERED, shared_beginnings
from bm.studies.arrays import Arrays
from bm.studies.folder import Folder

from .edf_files import write_edf

RUNS = ("S001R01", "S001R02", "S002R01")


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (RUNS, {"S001": ["S001R01", "S001R02"]}),
        (["S01", "S02", "S10"], {}),
        (["p1_day1", "p1_day2", "p2_day1"], {"p1": ["p1_day1", "p1_day2"]}),
        (["anna", "anna_2", "ben"], {}),
        (["1a", "1b"], {"1": ["1a", "1b"]}),
    ],
)
def test_runs_of_a_person_are_told_by_the_first_number(
    names: list[str], groups: dict[str, list[str]]
) -> None:
    assert shared_beginnings(names) == groups
    for start, members in groups.items():
        matches = [re.match(NUMBERED, f"{name}.edf") for name in members]
        assert all(match and match["subject"] == start for match in matches)


def test_a_folder_of_runs_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Symptom: ten runs of one person were split `by people, of which there are 10`."""
    for name in RUNS:
        write_edf(tmp_path / f"{name}.edf", ["Cz", "Pz"], np.zeros((2, 200)), 100)
    with caplog.at_level(logging.WARNING):
        people = [one.id.subject for one in Folder(path=tmp_path).recordings()]
    assert people == list(RUNS)
    (line,) = caplog.messages
    assert "2 files begin with S001 (S001R01, S001R02), and each counts as a person" in line
    caplog.clear()
    pattern = line.rpartition("pattern: ")[2].strip("'")
    recordings = Folder(path=tmp_path, pattern=pattern).recordings()
    assert [(one.id.subject, one.id.run) for one in recordings] == [
        ("S001", "R01"), ("S001", "R02"), ("S002", "R01"),
    ]  # fmt: skip
    assert not caplog.messages


def test_arrays_of_runs_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in RUNS:
        x, y = np.random.default_rng(0).normal(size=(6, 2, 50)), np.arange(6) % 2
        np.savez(tmp_path / f"{name}.npz", x=x, y=y, fs=50.0, unit="uV")
    with caplog.at_level(logging.WARNING):
        Arrays(path=tmp_path).recordings()
    assert "2 files begin with S001" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        people = [one.id.subject for one in Arrays(path=tmp_path, pattern=NUMBERED).recordings()]
    assert people == ["S001", "S001", "S002"] and "begin with" not in caplog.text

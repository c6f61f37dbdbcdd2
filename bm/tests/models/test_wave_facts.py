"""Facts of a saved model's data: units, places, scaling, and names of classes and subjects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models.eegdiff.facts import WaveFacts
from bm.models.saved import FACTS

ENTRIES: dict[str, Any] = {
    "channels": ["C3", "C4"],
    "rate_hz": 125.0,
    "window_samples": 250,
    "positions": [[0.0, 0.1, 0.2], [0.3, 0.4, 0.5]],
    "kinds": ["eeg", "meg"],
    "subjects": ["p", "q"],
    "classes": ["left", "right", "7"],
    "scaler": {"centre": [1.0, -2.0], "scale": [2.0, 4.0]},
}


def facts(**changes: Any) -> WaveFacts:
    return WaveFacts.of({**ENTRIES, **changes})


def test_a_record_and_its_entries_give_the_same() -> None:
    record = DataFacts.from_dict(ENTRIES)
    assert WaveFacts.of(record).channels == facts().channels == ("C3", "C4")
    assert WaveFacts.of(record).others == {
        "features": {}, "values": (), "vocabulary": (), "preprocess": None, "recipe": None,
        "outputs": None,
    }  # fmt: skip
    assert WaveFacts.of(facts()) == facts()


def test_entries_that_waves_do_not_need_pass_through() -> None:
    data = facts(preprocess=[{"step": "notch"}], later="x")
    assert data.to_dict()["later"] == "x" and data.to_dict()["preprocess"] == [{"step": "notch"}]
    assert DataFacts.from_dict(data.to_dict()).preprocess == ({"step": "notch"},)


def test_units_follow_the_kinds_of_channels() -> None:
    assert [unit.name for unit in facts().units] == ["uV", "fT"]
    np.testing.assert_array_equal(facts().si, [[1e-6], [1e-15]])
    assert [unit.mne_type for unit in facts(kinds=()).units] == ["eeg", "eeg"]
    with pytest.raises(UserError, match=r"kind of channel 'ecg'.*did you mean"):
        facts(kinds=["eeg", "ecg"])


@pytest.mark.parametrize(
    ("positions", "there"),
    [
        (ENTRIES["positions"], True),
        ([], False),
        ([[0.0, 0.1, 0.2], [float("nan"), 0.4, 0.5]], False),
        ([[0.0, 0.1, 0.2], [0.0, 0.0, 0.0]], False),  # a place that was never set
        ([[0.1, 0.1, 0.0], [0.9, 0.4, 0.0]], False),  # of the sensor layout: no metres
    ],
)
def test_places_are_metres_of_all_channels_or_none(positions: list, there: bool) -> None:
    places = facts(positions=positions).places
    assert (places is not None) == there
    if places is not None:
        np.testing.assert_allclose(places, positions)


def test_scaling_is_undone_channel_by_channel() -> None:
    waves = torch.randn(3, 2, 10)
    scaled = facts().scaled(waves)
    torch.testing.assert_close(scaled[:, 0], (waves[:, 0] - 1) / 2)
    torch.testing.assert_close(scaled[:, 1], (waves[:, 1] + 2) / 4)
    torch.testing.assert_close(facts().unscaled(scaled), waves)
    assert torch.equal(facts(scaler={}).scaled(waves), waves)


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        ("right", [1]),
        (0, [0]),
        (np.int64(2), [2]),
        (-1, [-1]),
        (["left", 1, -1], [0, 1, -1]),
        ("1", [1]),
        ("7", [2]),  # a name, though it looks like a number
        (range(3), [0, 1, 2]),
    ],
)
def test_classes_are_chosen_by_name_or_number(choice: Any, numbers: list[int]) -> None:
    assert facts().numbers("classes", choice) == numbers


@pytest.mark.parametrize(
    ("kind", "choice", "message"),
    [
        ("classes", "rihgt", "name in classes 'rihgt'.*did you mean 'right'"),
        ("classes", 3, "classes=3: there are 3, numbered from 0"),
        ("subjects", -2, "subjects=-2"),
        ("subjects", [], r"subjects=\[\]: give a name"),
    ],
)
def test_choices_that_do_not_exist_are_named(kind: str, choice: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        facts().numbers(kind, choice)


def test_facts_are_read_from_the_folder_of_a_model(tmp_path: Path) -> None:
    (tmp_path / FACTS).write_text(json.dumps(ENTRIES))
    assert WaveFacts.read(tmp_path) == facts()
    with pytest.raises(UserError, match=r"no saved model in .*facts.json is missing"):
        WaveFacts.read(tmp_path / "none")

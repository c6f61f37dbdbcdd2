"""Weights of other data: another rate is refused, other preprocessing and units are told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from bm.engine.origin import check_origin
from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, save
from bm.models.labram.importing import published_facts
from bm.tests.models.test_labram import config

STEPS = ({"step": "bandpass", "low_hz": 0.1, "high_hz": 75.0},)
FACTS = DataFacts(("CZ", "PZ"), 200.0, 400, classes=("a", "b"), preprocess=STEPS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(build_model(config("small"), FACTS), tmp_path / "m", FACTS)
    return tmp_path / "m"


def test_data_of_another_rate_are_refused(folder: Path) -> None:
    now = dataclasses.replace(FACTS, rate_hz=125.0)
    with pytest.raises(UserError, match=r"init_from: .* at 200 Hz, these .* 125 Hz; .*rate_hz=200"):
        check_origin("init_from", folder, now, build_model(config("small"), now))


def test_other_preprocessing_and_another_unit_are_told(folder: Path) -> None:
    model = build_model(config("small"), FACTS)
    assert check_origin("init_from", folder, FACTS, model) == []
    others = dataclasses.replace(FACTS, preprocess=())
    (line,) = check_origin("init_from", folder, others, model)
    assert "bandpass low_hz=0.1 high_hz=75.0; here: nothing" in line
    unit = build_model(config("small", amplitude_uv=1.0), FACTS)
    (line,) = check_origin("init_from", folder, FACTS, unit)
    assert "with 100 uV as unit; here model.amplitude_uv=1" in line


def test_what_is_not_known_is_not_compared(folder: Path) -> None:
    silent = dataclasses.replace(FACTS, preprocess=None)
    assert check_origin("init_from", folder, silent, torch.nn.Linear(1, 1)) == []
    (folder / "facts.json").unlink()
    far = dataclasses.replace(FACTS, rate_hz=1.0)
    assert check_origin("init_from", folder, far, torch.nn.Linear(1, 1)) == []


def test_facts_keep_the_preprocessing_on_disk(folder: Path) -> None:
    assert DataFacts.from_dict(FACTS.to_dict()) == FACTS
    facts = published_facts(build_model(config("small"), FACTS))
    assert facts.preprocess[1] == {"step": "notch", "freqs_hz": [50.0]}

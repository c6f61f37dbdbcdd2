"""Arguments of models: what data decide, what a configuration says, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, init_weights, load, save
from bm.models.clip.options import EncoderOptions, MergerOptions, SubjectOptions
from bm.models.saved import CONFIG, LoadReport, data_arguments, fit, plain
from bm.models.sections import section_of
from bm.writing import HOST, swap_folder

FACTS = DataFacts(("C3", "C4"), 125.0, 250, classes=("a", "b", "c"), subjects=("p",))
LINEAR = {"target": "torch.nn.Linear", "in_features": 2, "out_features": 3}


def test_a_section_is_its_record() -> None:
    assert section_of(MergerOptions, None, "merger") == MergerOptions()
    assert section_of(MergerOptions, {"channels": 5}, "merger") == MergerOptions(5)
    with pytest.raises(UserError, match=r"model\.merger: unknown option 'chanels'.*'channels'"):
        section_of(MergerOptions, {"chanels": 5}, "merger")
    with pytest.raises(UserError, match=r"model\.subject\.layers_width='wide'"):
        section_of(SubjectOptions, {"layers_width": "wide"}, "subject")
    assert section_of(EncoderOptions, {"glu": 2}, "encoder").glu == 2  # of the parent's fields


def test_arguments_that_data_decide() -> None:
    arguments = data_arguments(FACTS)
    assert arguments["n_channels"] == arguments["n_chans"] == 2
    assert arguments["rate_hz"] == arguments["sfreq"] == 125.0
    assert arguments["n_outputs"] == arguments["n_classes"] == 3
    assert arguments["channel_names"] == ["C3", "C4"] and arguments["n_subjects"] == 1
    several = replace(FACTS, vocabulary=("C3", "C4", "Pz"), classes=(), values=("x", "y"))
    assert data_arguments(several)["channel_names"] == ["C3", "C4", "Pz"]
    assert data_arguments(several)["n_outputs"] == 2
    assert data_arguments(replace(FACTS, classes=()))["n_outputs"] == 1


def test_the_configuration_wins_over_the_data() -> None:
    model = build_model({"name": "eegnet", "n_outputs": 7}, FACTS)
    assert model(torch.zeros(1, 2, 250)).shape == (1, 7)
    assert model.bm_arguments["arguments"]["n_outputs"] == 7
    assert model.bm_arguments["arguments"]["n_channels"] == 2


def test_groups_of_a_configuration_become_plain_values() -> None:
    group = OmegaConf.create({"a": [1, {"b": (2, 3)}], "c": "text"})
    values = plain(group)
    assert values == {"a": [1, {"b": [2, 3]}], "c": "text"}
    assert type(values["a"]) is list and type(values["a"][1]) is dict
    json.dumps(values)


def test_a_model_of_another_library_is_saved_and_loaded(tmp_path: Path) -> None:
    model = build_model(LINEAR, FACTS)
    save(model, tmp_path / "m", FACTS)
    again = load(tmp_path / "m", trust_target=True)
    assert torch.equal(again.weight, model.weight)
    assert json.loads((tmp_path / "m" / CONFIG).read_text())["target"] == "torch.nn.Linear"
    other = build_model(LINEAR, FACTS)
    assert init_weights(other, tmp_path / "m", subjects=("q",)).complete
    assert torch.equal(other.weight, model.weight)


def test_arguments_of_a_saved_model_can_be_changed(tmp_path: Path) -> None:
    save(build_model(LINEAR, FACTS), tmp_path / "m", FACTS)
    with pytest.raises(RuntimeError, match="size mismatch"):
        load(tmp_path / "m", trust_target=True, out_features=4)
    bias = load(tmp_path / "m", trust_target=True, in_features=2).bias
    assert bias.shape == (3,)


def test_a_report_says_what_became_of_each_tensor() -> None:
    model: Any = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    before = model[0].bias.detach().clone()
    state = {"0.weight": torch.ones(3, 2), "0.bias": torch.ones(5), "more": torch.ones(1)}
    report = fit(model, state, "here")
    assert report == LoadReport(
        "here", ("0.weight",), ("1.weight", "1.bias"), ("more",), ("0.bias",)
    )
    assert not report.complete and torch.equal(model[0].weight, torch.ones(3, 2))
    assert torch.equal(model[0].bias, before)
    text = "here: 1 tensors loaded; 2 missing (1.weight, 1.bias); 1 unexpected (more)"
    assert str(report) == f"{text}; 1 wrong shape (0.bias)"
    many = LoadReport("x", (), tuple("abcd"), (), ())
    assert str(many) == "x: 0 tensors loaded; 4 missing (a, b, c, ...)"


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True,
                          capture_output=True, text=True).stdout.strip()  # fmt: skip
    (tmp_path / f".tmp.{HOST}.{gone}.0.old").mkdir()  # left by a process that died
    swap_folder(tmp_path / "new", tmp_path / "old")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old" / "file").read_text() == "new"


@pytest.mark.parametrize(
    ("folder", "message"),
    [("none", "no weights in"), ("other", "0 tensors loaded; 2 missing")],
)
def test_weights_of_nothing_are_refused(tmp_path: Path, folder: str, message: str) -> None:
    save(build_model({"name": "eegnet"}, FACTS), tmp_path / "other", FACTS)
    model: Any = build_model(LINEAR, FACTS)
    for partial in (False, True):
        with pytest.raises(UserError, match=message):
            init_weights(model, tmp_path / folder, partial)

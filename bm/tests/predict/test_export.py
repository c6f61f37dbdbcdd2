"""Exported folders: what they hold, what they say, and that they predict elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

import bm
from bm.errors import UserError
from bm.eval.experiments import of_sigs
from bm.eval.export import export
from bm.tests.predict.trained import Trained
from bm.train import main
from scripts import predict

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished classifier of simulated motor imagery."""
    return Trained(tmp_path_factory.mktemp("xp"), "solver=supervised/debug", "log.figures=false")


def experiment_of(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> object:
    """The experiment as evaluation reads it."""
    monkeypatch.setattr(main.dora, "dir", trained.solver.folder.parents[1])
    return of_sigs([trained.solver.xp.sig], main)[0]


def test_an_exported_folder_says_what_it_is(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(trained, monkeypatch)
    out = export(experiment, tmp_path / "deep/motor", "cc-by-4.0")
    names = {p.name for p in out.iterdir()}
    assert {"config.json", "facts.json", "model.safetensors", "README.md"} <= names
    card = (out / "README.md").read_text()
    stored = json.loads((out / "evaluation.json").read_text())
    value = stored["metrics"]["balanced_accuracy"]
    assert "balanced_accuracy" not in stored["extra"]["intervals"]  # two people are no evidence
    assert f"| balanced_accuracy | {value:.3f} | none | 0.250 |" in card
    for text in (
        "license: cc-by-4.0",
        "simulated",
        "32 windows of 2 people",
        experiment.sig,
        "no medical",
    ):
        assert text in card
    export(experiment, out, "mit")  # again, over its own
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.doc").touch()
    with pytest.raises(UserError, match=r"holds thesis.doc"):
        export(experiment, tmp_path / "other")


def test_a_file_is_predicted_from_the_command_line(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = trained.recordings[0].load_raw().crop(0, 30, verbose="error")
    raw.save(tmp_path / "day2_raw.fif", verbose="error")
    out = tmp_path / "day2.csv"
    model, path = str(trained.predictor.folder), str(tmp_path / "day2_raw.fif")
    assert predict.prediction(model=model, path=path, out=str(out), stride_s=1.0, device="cpu") == 0
    table = pd.read_csv(out)
    whole = bm.Predictor.from_pretrained(model).predict(
        mne.io.read_raw_fif(path, verbose="error"), stride_s=1.0
    )
    np.testing.assert_allclose(table["prob_feet"], whole["prob_feet"], atol=1e-6)
    assert "left_hand" in capsys.readouterr().out
    with pytest.raises(UserError, match="which model and recording"):
        predict.prediction(path=path)

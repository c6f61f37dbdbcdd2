"""The task families on simulated recordings: they learn, they write what tables need."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bm.errors import UserError
from bm.metrics.classification import chance_levels, classification_metrics
from bm.models.baselines.powers import log_band_powers
from bm.studies.simulated import observers
from bm.tests.experiments import run
from grids._explorers import SupervisedExplorer


@pytest.mark.story
def test_supervised_leaves_everything(tmp_path) -> None:
    folder = run(tmp_path, "solver=supervised/debug").folder
    history = json.loads((folder / "history.json").read_text())
    assert len(history) == 2 and {"train", "valid", "test", "perf"} <= set(history[-1])
    for stage, names in SupervisedExplorer.columns.items():  # no column of the table stays empty
        assert set(names) <= set(history[-1][stage])
    assert {p.name for p in (folder / "figures").iterdir()} == {
        "confusion.svg",
        "curves.svg",
        "electrodes.svg",
    }
    stored = json.loads((folder / "evaluation.json").read_text())
    items = pd.read_parquet(folder / "items.parquet")
    assert stored["simulated"] and stored["n_items"] == len(items) == 32
    accuracy = (items["label"] == items["prediction"]).mean()
    assert accuracy == pytest.approx(stored["metrics"]["accuracy"])
    probs = items[[c for c in items if c.startswith("prob_")]]
    assert list(probs) == ["prob_left_hand", "prob_right_hand", "prob_feet", "prob_tongue"]
    np.testing.assert_allclose(probs.sum(1), 1, atol=1e-6)
    assert set(items["session"]) == {"1"}  # the split of the recipe
    facts = json.loads((folder / "best/facts.json").read_text())
    assert facts["simulated"] and len(facts["scaler"]["scale"]) == 22


@pytest.mark.story
def test_network_and_lda_lie_between_chance_and_the_observer(tmp_path) -> None:
    few = "optim.epochs=25"
    net = run(tmp_path, "solver=supervised/motor", few, "seed=1")
    lda = run(tmp_path, "solver=baseline/lda")
    scores = [json.loads((f / "evaluation.json").read_text())["metrics"]["accuracy"]
              for f in (net.folder, lda.folder)]  # fmt: skip
    assert all(0.25 + 0.12 < score < 0.99 for score in scores)


@pytest.mark.story
def test_without_signal_both_are_at_chance(tmp_path) -> None:
    none = "dset.studies=[{study: simulated, mode: motor, preset: debug, snr: 0.0}]"
    net = run(tmp_path, "solver=supervised/motor", none, "optim.epochs=8")
    lda = run(tmp_path, "solver=baseline/lda", none)
    for solver in (net, lda):
        stored = json.loads((solver.folder / "evaluation.json").read_text())
        low, high = observers.interval(0.25, stored["n_items"])
        assert low - 0.03 < stored["metrics"]["accuracy"] < high + 0.03


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("solver.task=values", "dset.segment.values"),
        ("dset.segment.kind=trail", "did you mean 'trial'"),
        ("dset.studies=[{study: simulatd}]", "did you mean 'simulated'"),
        ("dset.studies=[{study: simulated, mode: motor, preset: tiny, sede: 1}]", "sede"),
        ("model.name=eegnt", "did you mean 'eegnet'"),
    ],
)
def test_mistakes_are_one_line(argument, message, tmp_path) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path, "solver=supervised/debug", argument)


def test_band_powers_see_the_band_they_should() -> None:
    time = np.arange(500) / 250
    windows = np.stack([np.sin(2 * np.pi * 10 * time), np.sin(2 * np.pi * 20 * time)])[:, None]
    powers = log_band_powers(windows, 250.0, [(8, 13), (14, 30)])
    assert powers.shape == (2, 2)
    assert powers[0, 0] > powers[0, 1] + 3 and powers[1, 1] > powers[1, 0] + 3
    with pytest.raises(UserError, match=r"0.2 s lies in \[6.5, 8\] Hz; they are 5 Hz apart"):
        log_band_powers(windows[..., :50], 250.0, [(6.5, 8)])


def test_metrics_of_known_decisions() -> None:
    labels = np.array([0, 0, 0, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    metrics = classification_metrics(probs, labels)
    assert metrics["accuracy"] == 0.75 and metrics["balanced_accuracy"] == pytest.approx(
        (2 / 3 + 1) / 2
    )
    assert metrics["auroc"] == pytest.approx(2 / 3)
    assert chance_levels(labels, 2) == {
        "accuracy": 0.75, "balanced_accuracy": 0.5, "kappa": 0.0, "auroc": 0.5, "auc_pr": 0.25,
    }  # fmt: skip


@pytest.mark.story
def test_lda_of_people_with_their_own_contacts(tmp_path) -> None:
    study = "{study: simulated, mode: seeg, preset: tiny, part: task, n_trials: 20}"
    words = ("solver=baseline/lda", "dset=simulated_seeg", "solver.bands=[[70,150]]",
             "dset.segment.offset_s=0.9", "dset.segment.duration_s=0.9", f"dset.studies=[{study}]",
             "dset.split.ratios={train: 0.6, valid: 0.0, test: 0.4}")  # fmt: skip
    folder = run(tmp_path, *words).folder
    stored = json.loads((folder / "evaluation.json").read_text())
    assert stored["metrics"]["accuracy"] > 0.45 and stored["simulated"]  # four words
    items = pd.read_parquet(folder / "items.parquet")
    assert items["subject"].nunique() == 2
    with pytest.raises(UserError, match=r"solver\.per_subject=true where"):
        run(tmp_path, *words, "solver.per_subject=false")


@pytest.mark.story
def test_people_with_few_windows_are_decoded_by_all(tmp_path, caplog) -> None:
    """Symptom: with `dset.split.shots=5` a person with one window ended in a traceback of LDA."""
    words = ("solver=baseline/lda", TINY.replace("tiny", "tiny, n_subjects: 4"))
    with caplog.at_level("WARNING"):
        folder = run(tmp_path, *words, "dset.split.shots=2").folder
    assert json.loads((folder / "evaluation.json").read_text())["metrics"]["accuracy"] > 0
    assert "training windows are too few for a decoder of its own" in caplog.text
    # a person alone, and a window of each class
    with pytest.raises(UserError, match=r"solver\.method=lda: \d+ training windows of \d classes"):
        run(tmp_path, *words, "dset.split.shots=1", "solver.per_subject=false")


TINY = "dset.studies=[{study: simulated, mode: motor, preset: tiny}]"


@pytest.mark.parametrize("method", ["csp", "tangent"])
def test_spatial_decoders_are_above_chance(method: str, tmp_path) -> None:
    words = ("solver=baseline/lda", TINY, f"solver.method={method}", "solver.bands=[[8,30]]")
    stored = json.loads((run(tmp_path, *words).folder / "evaluation.json").read_text())
    assert stored["metrics"]["accuracy"] > 0.25 + 0.1
    assert stored["extra"]["unit"].endswith("people") or stored["extra"]["unit"] == "1 person"


@pytest.mark.parametrize(
    ("bands", "message"), [("[]", "no band; set solver.bands"), ("[[8,200]]", r"\[8, 200\] Hz")]
)
def test_bands_of_spatial_decoders_are_checked(bands: str, message: str, tmp_path) -> None:
    words = ("solver=baseline/lda", TINY, "solver.method=csp", f"solver.bands={bands}")
    with pytest.raises(UserError, match=message):
        run(tmp_path, *words)

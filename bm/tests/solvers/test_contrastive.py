"""Speech decoding on simulated listening: it learns, and its control is at chance."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from bm.errors import UserError
from bm.eval.observer import retrieval_reference
from bm.metrics.classification import wilson_interval
from bm.solvers import build
from bm.train import main
from grids._explorers import ClipExplorer

pytestmark = pytest.mark.story

SMALL = (
    "solver=clip/debug",
    "dset.studies=[{study: simulated, mode: listening, preset: debug, n_runs: 5}]",
    "dset.split.fixed={valid: {run: ['3']}, test: {run: ['4']}}",
    "dset.rate_hz=31.25",
    "model.hidden=24",
    "solver.word_windows=60",
    "log.figures=false",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def solver_of(tmp_path, monkeypatch, cache):
    """Runs an experiment in this process; its solver afterwards."""

    def run(*argv: str, small: tuple[str, ...] = SMALL):
        monkeypatch.setattr(main.dora, "dir", tmp_path)
        xp = main.get_xp([*small, f"paths.cache={cache}", *argv])
        main.init_xp(xp)
        with xp.enter():
            solver = build(xp.cfg)
            solver.run()
        return solver

    return run


def evaluation(solver) -> dict:
    return json.loads((solver.folder / "evaluation.json").read_text())


def test_it_learns_and_leaves_everything(solver_of) -> None:
    solver = solver_of("optim.epochs=8")
    stored = evaluation(solver)
    history = json.loads((solver.folder / "history.json").read_text())
    chance = stored["chance"]["top10_accuracy"]
    assert stored["metrics"]["top10_accuracy"] > 2 * chance
    assert history[-1]["valid"]["loss"] < history[0]["valid"]["loss"]
    shown = ClipExplorer(lambda launcher: None).process_history(history)
    for stage, names in ClipExplorer.columns.items():  # no column of the table stays empty
        assert set(names) <= set(shown[stage])
    items = pd.read_parquet(solver.folder / "items.parquet")
    assert (items["rank"] < 10).mean() == pytest.approx(stored["metrics"]["top10_accuracy"])
    assert items["segment_hash"].nunique() == stored["extra"]["n_candidates"][0]
    assert len(items) == 2 * items["segment_hash"].nunique()  # two people heard each
    with solver.xp.enter():
        again = build(solver.xp.cfg).reevaluate("test")
    assert again.metrics == pytest.approx(stored["metrics"])


@pytest.mark.endurance
def test_the_recipe_comes_near_the_ideal_observer(solver_of, tmp_path) -> None:
    solver = solver_of(small=("solver=clip/debug", "log.figures=false"))
    stored = evaluation(solver)
    found, chance = stored["metrics"]["top10_accuracy"], stored["chance"]["top10_accuracy"]
    items = pd.read_parquet(solver.folder / "items.parquet")
    ideal = retrieval_reference(solver.xp.cfg, items, tmp_path / "observer")["top10_accuracy"]
    assert 0.99 < ideal <= 1
    assert 0.6 < (found - chance) / (ideal - chance) <= 1  # two seeds measured: 0.94 and 0.83


def test_shuffled_signals_are_at_chance(solver_of) -> None:
    stored = evaluation(solver_of("optim.epochs=4", "solver.shuffle_signals=true"))
    low, high = wilson_interval(stored["chance"]["top10_accuracy"], stored["n_items"])
    # windows of one person overlap and all share their candidates: wider than of independent items
    assert low - 0.06 < stored["metrics"]["top10_accuracy"] < high + 0.06


@pytest.mark.parametrize(
    "argv",
    [
        ("solver.loss=mse",),
        ("solver.feature_model=deep_mel", "solver.deep_mel.hidden=16",
         "solver.deep_mel.n_outputs=12", "solver.deep_mel.encoder.depth=2"),
        ("solver.negatives=100", "solver.svd=0.001", "solver.clip.pool=true"),
        ("solver.reject_above=3.0", "solver.lowpass_hz=8.0", "solver.clip.tmin_s=0.5"),
    ],
)  # fmt: skip
def test_other_losses_and_targets(solver_of, argv) -> None:
    stored = evaluation(solver_of("optim.epochs=1", "optim.max_batches=2", *argv))
    assert 0 <= stored["metrics"]["top10_accuracy"] <= 1
    if argv == ("solver.loss=mse",):
        assert {"l2_MelSpectrum", "corr_MelSpectrum"} <= set(stored["metrics"])


def test_encoding_sees_only_the_beginning_of_the_signal(solver_of) -> None:
    solver = solver_of(
        "optim.epochs=1", "optim.max_batches=2", "solver.task=encode", "solver.loss=l1"
    )
    assert {"l2_signal", "corr_signal"} == set(evaluation(solver)["metrics"])
    batch = solver.data.gather(solver.data.rows("test")[:3].tolist())
    solver.model.eval()
    with torch.no_grad():
        first = solver.estimate(batch, "test")
        batch.signal = batch.signal.clone()
        batch.signal[..., solver.shift + solver.seen :] = 5.0
        second = solver.estimate(batch, "test")
    torch.testing.assert_close(first[0], second[0])
    assert first[0].shape == first[1].shape and not torch.equal(first[1], second[1])


def test_classes_over_time(solver_of) -> None:
    stored = evaluation(
        solver_of(
            "optim.epochs=1", "optim.max_batches=2", "solver.loss=regression_classification",
            "solver.class_weights=true", "dset.features=[WordSegment, MelSpectrum]",
        )
    )  # fmt: skip
    assert {"acc_WordSegment", "corr_MelSpectrum"} <= set(stored["metrics"])


def test_preflight_names_what_decides(solver_of, capsys) -> None:
    solver_of("show=true")
    said = capsys.readouterr().out
    for text in ("split: by recording", "keys of test that train or valid hold too: 0",
                 "signal scaling: zscore", "candidates: ", "MelSpectrum: 20 channels, standardised",
                 "test segments heard in training: 0", "subjects: 2"):  # fmt: skip
        assert text in said, text


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("solver.loss=clp", "did you mean 'clip'"),
        ("solver.task=encode", "use solver.loss=l1 or mse"),
        ("dset.features=[]", "dset.features is empty"),
        ("dset.features=[WordSegment]", "regression_classification"),
        ("solver.feature_model=shallow", "use deep_mel or null"),
        ("+solver.clip.tmn=1", "tmn"),
    ],
)
def test_mistakes_are_one_line(solver_of, argument, message) -> None:
    with pytest.raises(UserError, match=message):
        solver_of(argument)

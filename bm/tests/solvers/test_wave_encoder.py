"""The Frechet distance on pooled tokens of a LaBraM model: its order, its address, its refusals."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from bm.errors import UserError
from bm.facts import DataFacts
from bm.metrics.distribution import frechet_distance
from bm.metrics.evaluation import Evaluation
from bm.models import build_model, save
from bm.solvers.judgement import WaveEncoder, judge
from bm.tests.models.labram import CHANNELS, FACTS, randomised, small
from bm.tests.shipped import section

RATE = 250.0


def data(*channels: str, count: int = 400) -> Any:
    """A data set of windows that fall with frequency, in microvolts."""
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((count, len(channels), 500))
    waves = 10 * (steps.cumsum(-1) - steps.cumsum(-1).mean(-1, keepdims=True))
    facts = DataFacts(channels=channels, rate_hz=RATE, window_samples=500)
    rows = {"train": np.arange(count // 2), "test": np.arange(count // 2, count)}
    return SimpleNamespace(facts=facts, rows=rows.__getitem__, waves=waves)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "labram"
    save(randomised(small()), folder, FACTS)
    return folder


def test_windows_are_nearer_to_training_windows_than_noise_is(encoder: Path) -> None:
    one = data(*CHANNELS)
    cfg = OmegaConf.create({"solver": {"encoder": "//sig/ab12cd34"}, "seed": 0})
    solver = SimpleNamespace(
        cfg=cfg, data=one, model=SimpleNamespace(conditions=()), folder_of=lambda _: encoder,
        real=lambda rows: one.waves[rows],
    )  # fmt: skip
    names = ("training windows", "phase surrogate", "white noise")
    extra = {"table": [], "references": {name: {} for name in names}}
    evaluation = Evaluation("test", {}, extra=extra)
    rows = one.rows("test")
    noise = np.random.default_rng(1).standard_normal((len(rows), len(CHANNELS), 500))
    judge(solver, evaluation, rows, 10 * noise)  # type: ignore[arg-type]
    values = {n: r["encoder_frechet_distance"] for n, r in extra["references"].items()}  # type: ignore[attr-defined]
    assert extra["encoder"] == "//sig/ab12cd34"
    assert values["training windows"] < 0.5 * values["white noise"]
    assert evaluation.metrics["encoder_frechet_distance"] > values["training windows"]


def test_features_are_of_the_electrodes_that_the_model_knows(encoder: Path) -> None:
    whole, some = data(*CHANNELS), data("C3", "no such site", "CZ", "C4")
    features = WaveEncoder(encoder, whole).features(whole.waves)
    assert features.shape == (400, 100) and np.isfinite(features).all()
    assert abs(frechet_distance(features, features)) < 1e-6 * features.var(0).sum()
    assert WaveEncoder(encoder, some).rows == [0, 2, 3]
    # its first layers are normalised over a window: one gain for all samples is not seen
    louder = WaveEncoder(encoder, whole).features(3 * whole.waves)
    assert abs(frechet_distance(features, louder)) < 1e-3


def test_refusals_are_one_line(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="knows none of the electrodes"):
        WaveEncoder(encoder, data("here", "there"))
    with pytest.raises(UserError, match="shorter than its patches of 1 s"):
        WaveEncoder(encoder, data(*CHANNELS)).features(np.zeros((2, 3, 100)))
    save(build_model(section("model", "baselines/eegnet"), FACTS), tmp_path / "eegnet", FACTS)
    with pytest.raises(UserError, match="use a model of LaBraM"):
        WaveEncoder(tmp_path / "eegnet", data(*CHANNELS))

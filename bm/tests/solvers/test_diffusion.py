"""The diffusion solver on simulated recordings: what it leaves, and samplers that fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from bm.engine import processes
from bm.engine.run import Run
from bm.facts import DataFacts
from bm.models.eegdiff.conditioning import UNKNOWN
from bm.solvers import build, diffusion
from bm.solvers.wave_files import draw_waves
from bm.train import main
from grids.eegdiff._explorer import DiffusionExplorer

PICTURES = {"waves.svg", "spectra.svg", "spectrogram.svg", "covariance.svg"}
PLACES = ((-0.04, 0.05, 0.07), (0.04, 0.05, 0.07), (-0.06, 0.0, 0.07), (0.06, 0.0, 0.07))


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str, *arguments: Any) -> None:
        self.lines.append(text % arguments)


@pytest.fixture(scope="module")
def xp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A finished experiment of one epoch, on one thread."""
    patch = pytest.MonkeyPatch()
    patch.setattr(main.dora, "dir", str(tmp_path_factory.mktemp("outputs")))
    few = ("optim.epochs=1", "solver.n_evaluation=8", "generate.n=3", "generate.steps=4")
    xp = main.get_xp(["solver=eegdiff/debug", "threads=1", *few])
    main.init_xp(xp)
    with xp.enter():
        Run(build(xp.cfg)).train()
    yield xp
    patch.undo()


@pytest.mark.story
def test_waves_figures_and_distances_are_left(xp: Any) -> None:
    history = json.loads((xp.folder / "history.json").read_text())
    for stage, names in DiffusionExplorer.columns.items():  # no column of the table stays empty
        assert set(names) <= set(history[-1][stage])
    figures = {p.name: p.read_text() for p in (xp.folder / "figures").iterdir()}
    assert set(figures) == PICTURES | {"curves.svg", "topography.svg"}
    assert all("simulated data" in text for text in figures.values())
    assert "real (3 samples)" in figures["spectra.svg"]
    assert "generated (3 samples)" in figures["spectra.svg"]
    with h5py.File(xp.folder / "generated/generated.h5") as file:
        assert file["signal"].shape == (3, 22, 368) and file["positions"].shape == (22, 3)
    items = pd.read_parquet(xp.folder / "items.parquet")
    assert len(items) == 8 and np.isfinite(items[["rms_uv", "distance"]]).all(None)


@pytest.mark.story
def test_the_smallest_recipe_is_better_than_white_noise(xp: Any) -> None:
    """Symptom: 16.5 dB where white noise has 6.4: predicted noise is divided by 0.006."""
    evaluation = json.loads((xp.folder / "evaluation.json").read_text())
    names = ("log_spectral_distance_db", "riemann_distance_of_logeuclidean_means")
    for name in names:
        noise = evaluation["extra"]["references"]["white noise"][name]
        assert evaluation["metrics"][name] < 0.6 * noise, name


@pytest.mark.story
def test_a_new_evaluation_is_the_old_one_and_bad_waves_are_one_line(
    xp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with xp.enter():
        solver = build(xp.cfg)
        again = Run(solver).reevaluate("test")
    assert isinstance(solver, diffusion.DiffusionSolver)
    stored = json.loads((xp.folder / "evaluation.json").read_text())
    assert json.loads(json.dumps(again.to_dict()))["extra"] == stored["extra"]
    assert again.metrics == pytest.approx(stored["metrics"])
    solver.log = log = Lines()  # type: ignore[assignment]
    generate = diffusion.generate_waves

    def bad(*arguments: Any) -> torch.Tensor:
        waves = generate(*arguments)
        waves[0, 0, 0] = np.inf
        return waves

    monkeypatch.setattr(diffusion, "generate_waves", bad)
    evaluation = solver.evaluate("test")
    assert set(evaluation.metrics) == {"loss"} and "references" not in evaluation.extra
    assert log.lines[1:] == ["1 of 8 generated waves are not finite: no distances are measured"]
    monkeypatch.setattr(processes, "world", lambda: 2)  # the other one is not here to answer
    solver.generate()
    reason = "generated samples hold values that are not finite"
    assert log.lines[3:] == [f"no figures of generated waves: {reason}"]
    with h5py.File(xp.folder / "generated/generated.h5") as file:
        assert np.isinf(file["signal"]).sum() == 1


@pytest.mark.parametrize(
    ("kind", "positions"),
    [
        ("eeg", ()),
        ("eeg", ((0.1, 0.9, 0.0), (0.5, 1.0, 0.0), (-0.1, -0.1, 0.0), (1.0, 0.0, 0.0))),
        ("seeg", PLACES),
        ("meg", PLACES),
    ],
)
def test_maps_need_places_on_the_scalp_and_pictures_uv(
    kind: str, positions: tuple, tmp_path: Path
) -> None:
    names = ("F3", "F4", "C3", "C4")
    facts = DataFacts(names, 125.0, 250, positions, (kind,) * 4)
    log = Lines()
    solver = SimpleNamespace(log=log, folder=tmp_path, data=SimpleNamespace(facts=facts))
    draw_waves(solver, *np.random.default_rng(0).normal(0, 20, (2, 3, 4, 250)))
    drawn = {p.name for p in tmp_path.glob("figures/*")}
    if kind == "meg":
        assert not drawn and log.lines == ["no figures of generated waves: in fT, not in uV"]
    else:
        assert drawn == PICTURES and not log.lines


@pytest.mark.story
def test_a_condition_that_is_always_withheld_is_not_told_either(xp: Any) -> None:
    for share, told in ((0.9, True), (1.0, False)):
        cut = main.get_xp([*xp.argv, f"solver.drop_condition={share}"])
        with cut.enter():
            solver: Any = build(cut.cfg)
            solver.data = solver.build_data()
            solver.model = solver.build_model(solver.data.facts)
            condition = solver.condition_of(solver.data.gather([0, 1, 2]))
        assert bool((condition.labels != UNKNOWN).all()) is told

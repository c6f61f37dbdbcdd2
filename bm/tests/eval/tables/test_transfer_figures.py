"""Figures of transfer and scaling: curves over shots, units pooled, and the power law of a grid."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from bm.eval.tables.figures import Result
from bm.eval.tables.scaling import draw_power_law, trained_of
from bm.eval.tables.shots import cells_of, draw_shot_curves, points_of
from bm.models.saved import write_tensors


def result(folder: Path, variant: str, metrics: dict[str, float], **config: Any) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    cfg = OmegaConf.create({"dset": {"split": config}})
    solver = "masked" if not config else "supervised"
    experiment: Any = SimpleNamespace(config=cfg, folder=folder, solver=solver, simulated=True)
    evaluation = {"metrics": metrics, "chance": {"balanced_accuracy": 0.5}, "extra": {}}
    return Result(experiment, variant, evaluation, folder)


def with_items(path: Path, variant: str, shots: int | None, unit: int, right: float) -> Result:
    """Two people of a left-out pair, ten windows each, a share of which is right."""
    one = result(path, variant, {"balanced_accuracy": right}, shots=shots, left_out=unit)
    people = np.repeat([2 * unit, 2 * unit + 1], 10)
    labels = np.tile([0, 1], 10)
    hits = np.arange(20) % 10 < round(10 * right)
    frame = pd.DataFrame({
        "study": "s", "subject": people.astype(str), "session": "0", "run": "0",
        "start_s": np.tile(np.arange(10.0), 2), "label": labels,
        "prediction": np.where(hits, labels, 1 - labels),
    })  # fmt: skip
    frame.to_parquet(path / "items.parquet")
    return one


def results(root: Path, units: int) -> list[Result]:
    rights = {1: 0.6, 5: 0.8, None: 0.9}
    return [
        with_items(root / f"{kind}{k}-{u}",
                   f"sol.tune={kind} dse.spl.shots={k} dse.spl.left_out={u}", k, u, right)
        for kind in ("lora", "ridge") for k, right in rights.items() for u in range(units)
    ]  # fmt: skip


def test_units_left_out_are_pooled_and_their_people_give_the_interval(tmp_path: Path) -> None:
    some = results(tmp_path, 3)
    rows = points_of(cells_of(some, "balanced_accuracy"))
    assert set(rows) == {"sol.tune=lora", "sol.tune=ridge"}
    values = {k: point.value for k, point in rows["sol.tune=lora"].items()}
    assert values == {1: pytest.approx(0.6), 5: pytest.approx(0.8), None: pytest.approx(0.9)}
    ends = rows["sol.tune=lora"][5].interval  # six people
    assert ends is not None and ends[0] <= 0.8 <= ends[1]
    few = points_of(cells_of(results(tmp_path / "few", 2), "balanced_accuracy"))
    assert few["sol.tune=lora"][5].interval is None  # four people: no claim


def test_people_of_several_experiments_are_taken_together(tmp_path: Path) -> None:
    """Symptom: a grid of seven people drew 21 curves, of colours that came back."""
    some = []
    for seed in range(7):
        for solver, right in ((f"few init_from=//sig/abcdef0{seed}", 0.9), ("scratch", 0.6)):
            for shots in (5, 10):
                study = {"study": "simulated", "seed": seed}
                text = f"solver={solver} dset.split.shots={shots} dset.studies=[{{seed: {seed}}}]"
                one = with_items(tmp_path / f"{seed}{solver[:3]}{shots}", text, shots, 0, right)
                one.experiment.config.dset.studies = [study]
                some.append(one)
    rows = points_of(cells_of(some, "balanced_accuracy"))
    assert set(rows) == {"solver=few init_from=//sig/...", "solver=scratch"}
    point = rows["solver=scratch"][5]
    assert point.value == pytest.approx(0.6) and point.interval is not None


def test_curves_need_two_numbers_of_shots(tmp_path: Path) -> None:
    some = results(tmp_path, 3)
    path = draw_shot_curves(some, "auroc", tmp_path / "shots.svg")
    assert path is not None
    text = path.read_text()
    assert "training trials of each class" in text and "simulated" in text
    one = [r for r in some if r.experiment.config.dset.split.shots == 5]
    assert draw_shot_curves(one, "balanced_accuracy", tmp_path / "none.svg") is None


def pretrained(root: Path, width: int, windows: int, loss: float) -> Result:
    folder = root / f"{width}-{windows}"
    one = result(folder, "", {"loss": loss})
    (folder / "best").mkdir()
    write_tensors({"w": torch.zeros(width, 10)}, folder / "best" / "model.safetensors")
    (folder / "splits.json").write_text(json.dumps({"windows": {"train": windows}}))
    return one


def test_a_law_is_drawn_of_enough_pre_trainings(tmp_path: Path) -> None:
    sizes = [(n, d) for n in (10, 40, 160) for d in (100, 1000, 10000)]
    some = [pretrained(tmp_path, n, d, 1 + 30 / (10 * n) + 20 / d**0.5) for n, d in sizes]
    first = trained_of(some[0])
    assert first is not None and (first.parameters, first.windows) == (100.0, 100.0)
    path = draw_power_law(some, tmp_path / "law.svg")
    assert path is not None and "training windows D" in path.read_text()
    assert draw_power_law(some[:3], tmp_path / "none.svg") is None
    (some[0].folder / "best" / "model.safetensors").unlink()
    assert trained_of(some[0]) is None

"""Whole tables of real grids from evaluations: rows, tests over people, published rows, figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bm.errors import UserError
from bm.eval.experiments import Experiment, of_grid
from bm.eval.tables.grid import table_of_grid
from bm.eval.tables.report import write_report
from bm.eval.tables.stages import main_metrics
from bm.train import main
from grids.labram import finetune
from grids.nmi import _common, per_subject_gwilliams

TOP = {"column": "rank", "below": 10}
N_PEOPLE, N_WINDOWS = 7, 20


def ranked(folder: Path, share: float) -> None:
    """An evaluation in which everybody's windows are found as often as `share` says."""
    folder.mkdir(parents=True)
    ranks = np.where(np.arange(N_WINDOWS) < round(share * N_WINDOWS), 3, 40)
    frame = pd.DataFrame({"rank": np.tile(ranks, N_PEOPLE), "study": "gwilliams2022"})
    frame["subject"] = np.repeat([f"{i:02d}" for i in range(N_PEOPLE)], N_WINDOWS)
    frame["session"], frame["run"] = "0", "0"
    frame["start_s"] = np.tile(np.arange(N_WINDOWS) / 2, N_PEOPLE)
    frame.to_parquet(folder / "items.parquet")
    metric = {"top10_accuracy": float((frame["rank"] < 10).mean())}
    extra = {"table": ["top10_accuracy"], "item_scores": {"top10_accuracy": TOP}}
    stored = {"metrics": metric, "chance": {"top10_accuracy": 0.05}, "n_items": len(frame)}
    (folder / "metrics.json").write_text(json.dumps({**stored, "extra": extra}))


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.with_suffix(".csv").open()))


@pytest.fixture(scope="module")
def experiments() -> list[Experiment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_common, "SEEDS", (2036,))
        patch.setattr(per_subject_gwilliams, "PEOPLE", (3, 6, 9))
        return of_grid("nmi.per_subject_gwilliams", main)


def test_people_who_train(experiments: list[Experiment], tmp_path: Path) -> None:
    for experiment, share in zip(experiments, (0.2, 0.5, 0.9), strict=True):
        ranked(tmp_path / "eval" / experiment.sig, share)
    assert main_metrics(experiments, tmp_path / "eval") == ["top10_accuracy"]
    grid, against = "nmi.per_subject_gwilliams", "dset.n_subjects=3"
    path = table_of_grid(grid, experiments, ["top10_accuracy"], tmp_path, against)
    first, second, third, chance = rows_of(path)
    assert [row["variant"] for row in (first, third)] == [against, "dset.n_subjects=9"]
    assert second["p, people"] == "0.031" and second["units"] == "7 people"  # Holm: 2 * 2 / 2**7
    assert third["p, units"] == "0.031" and chance["top10_accuracy"] == "0.050"
    text = path.read_text()
    assert (
        "Wilcoxon" in text
        and "signs of the units" in text
        and "All rows of gwilliams2022: solver=clip/main" in text
    )
    page = path.with_suffix(".html").read_text()
    assert page.count("<svg") == 2 and "people who train" in page and "7 people" in page
    with pytest.raises(UserError, match=r"no such row; rows: dset\.n_subjects=3"):
        table_of_grid(grid, experiments, ["top10_accuracy"], tmp_path, "base")


def test_the_report_has_the_same_figures(experiments: list[Experiment], tmp_path: Path) -> None:
    for number, experiment in enumerate(experiments):
        experiment.folder = tmp_path / experiment.sig
        ranked(experiment.folder, 0.3 * (number + 1))
        (experiment.folder / "metrics.json").rename(experiment.folder / "evaluation.json")
    page = write_report("some.grid", experiments, tmp_path / "report", tmp_path / "eval")
    assert {p.name for p in page.parent.glob("*.svg")} == {
        "gwilliams2022-people.svg", "gwilliams2022-training.svg"
    }  # fmt: skip


def test_published_values_beside_finetuning(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(finetune, "SEEDS", (0, 1))
    finetuned = of_grid("labram.finetune", main)
    for number, experiment in enumerate(e for e in finetuned if e.config.dset.name == "tuev"):
        folder = tmp_path / "eval" / experiment.sig
        folder.mkdir(parents=True)
        metrics = {"balanced_accuracy": 0.6 + 0.01 * number, "kappa": 0.5}
        stored = {"metrics": metrics, "chance": {"balanced_accuracy": 1 / 6}, "n_items": 9}
        (folder / "metrics.json").write_text(json.dumps(stored))
    metrics = ["balanced_accuracy", "kappa"]
    rows = rows_of(table_of_grid("labram.finetune", finetuned, metrics, tmp_path))
    tuev = {row["variant"]: row for row in rows if row["dataset"] == "tuev"}
    assert tuev["base"]["balanced_accuracy"] == "0.605 ± 0.007"
    assert tuev["base"]["published as"] == "LaBraM-Base"
    assert tuev["base"]["published kappa"] == "0.664 ± 0.009"
    assert tuev["solver.tune_blocks=4"]["published balanced_accuracy"] == "0.619"
    assert tuev["published: BIOT"]["kappa"] == "0.527 ± 0.025"
    tuab = [row for row in rows if row["dataset"] == "tuab" and row["missing"]]
    assert len(tuab) == 4 and tuab[0]["balanced_accuracy"] == "missing"

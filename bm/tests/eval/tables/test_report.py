"""The report: every experiment is on the page, also those that failed or never ran."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from bm.eval.tables.report import last_values, write_report
from bm.tests.eval.evaluations import experiment


def test_the_last_epoch_that_has_the_stage() -> None:
    one = experiment("cccccccc")
    assert last_values(one, "test") == {}
    one.history = [
        {"test": {"accuracy": 0.5, "loss": 2.0}},
        {"test": {"accuracy": 0.6, "loss": math.nan, "note": "text"}},
        {"valid": {"accuracy": 0.7}},
    ]
    assert last_values(one, "test") == {"accuracy": 0.6}


def test_failed_and_missing_experiments_are_on_the_page(tmp_path: Path) -> None:
    members = [experiment(f"cccccc0{i}", f"seed={i}") for i in range(3)]
    members[1].state, members[2].state = "unfinished", "missing"
    test = {"balanced_accuracy": 0.625, "chance_balanced_accuracy": 0.5}
    members[0].history = [
        {"train": {"loss": 2.0}, "valid": {"loss": 2.0, "balanced_accuracy": 0.5}},
        {"train": {"loss": 1.0}, "valid": {"loss": 1.0, "balanced_accuracy": 0.6}, "test": test},
    ]
    page = write_report("some.grid", members, tmp_path, tmp_path / "eval")
    text = page.read_text()
    assert page == tmp_path / "index.html" and "simulated" not in text
    for one in members:
        assert f'<td class="short">{one.sig}</td>' in text
    assert '<td class="note">unfinished</td>' in text and '<td class="failed">missing</td>' in text
    assert text.count("<svg") == 2 and "0.625" in text  # scores, curves
    assert '<td class="short">chance</td><td class="number">0.500</td>' in text


def test_the_page_leads_to_the_others_of_its_grid(tmp_path: Path) -> None:
    folder, table = tmp_path / "report/some.grid", tmp_path / "tables/some.grid/table.html"
    table.parent.mkdir(parents=True)
    table.touch()
    text = write_report(
        "some.grid", [experiment("cccccccc")], folder, tmp_path / "eval"
    ).read_text()
    assert '<a href="../../tables/some.grid/table.html">table</a>' in text and "HiPlot" not in text


def test_what_an_evaluation_was_compared_with_is_on_the_page(tmp_path: Path) -> None:
    """Symptom: distances of generated EEG stood without those of real EEG and of noise."""
    one = experiment("cccccccc")
    one.folder = tmp_path / "xps/cccccccc"
    one.folder.mkdir(parents=True)
    one.history = [{"test": {"balanced_accuracy": 0.75}}]
    beside = {"white noise": {"balanced_accuracy": 0.375, "rmse": 1.0}, "other": {"rmse": 2.0}}
    evaluation = {"split": "test", "n": 4, "metrics": {"balanced_accuracy": 0.75}, "chance": {},
                  "extra": {"references": beside}}  # fmt: skip
    (one.folder / "evaluation.json").write_text(json.dumps(evaluation))
    text = write_report("some.grid", [one], tmp_path / "report", tmp_path / "eval").read_text()
    assert '<td class="short">white noise</td><td class="number">0.375</td>' in text
    assert "other" not in text.partition("<details")[0]


def test_a_metric_that_is_asked_for(tmp_path: Path) -> None:
    one = experiment("cccccccc")
    one.history = [{"test": {"balanced_accuracy": 0.9, "kappa": 0.125}}]
    text = write_report("some.grid", [one], tmp_path, tmp_path / "eval", "kappa").read_text()
    assert "test kappa" in text and "0.125" in text and "test balanced_accuracy" not in text


def test_a_grid_that_never_ran_has_a_page(tmp_path: Path) -> None:
    one = experiment("cccccccc")
    one.state = "missing"
    text = write_report("some.grid", [one], tmp_path, tmp_path / "eval").read_text()
    assert "Grid some.grid" in text and "<svg" not in text and "missing" in text


def test_a_thousand_experiments_are_a_page_in_seconds(tmp_path: Path) -> None:
    """Symptom: a report of 300 experiments took 47 s, of 1,000 it did not end."""
    members = [experiment(f"{i:08x}", f"optim.lr={i}") for i in range(1000)]
    for i, one in enumerate(members):
        test = {"balanced_accuracy": i / 1000}
        epoch = {"train": {"loss": 1.0}, "valid": {"loss": 1.0, "balanced_accuracy": 0.5}}
        one.history = [epoch, {**epoch, "test": test}]
    begun = time.process_time()
    text = write_report("some.grid", members, tmp_path, tmp_path / "eval").read_text()
    assert time.process_time() - begun < 10
    assert text.count("<svg") == 2 and "best 12 of 1000 rows" in text
    assert all(f">{one.sig}<" in text for one in members)

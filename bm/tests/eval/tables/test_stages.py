"""Stages of a grid: none is missing, none is compared with another by a metric it does not have."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.eval.experiments import Experiment, of_grid
from bm.eval.tables.grid import table_of_grid
from bm.eval.tables.report import write_report
from bm.eval.tables.stages import main_metrics, stages_of
from bm.tests.eval.evaluations import experiment, write_evaluation
from bm.train import main

TOKENIZER = ("amplitude_correlation", "loss", "usage")
MASKED = ("accuracy", "loss")
TUNED = ("balanced_accuracy", "auroc")
UP, MASK = "aaaaaaaa", "bbbbbbbb"


@pytest.fixture(scope="module")
def staged() -> list[Experiment]:
    """Tokenizer, masked model, three fine-tunings."""
    return of_grid("labram.debug", main)


def evaluate(experiments: list[Experiment], folder: Path) -> None:
    tokenizer, masked, *tuned = experiments
    codes = {"amplitude_correlation": 0.4, "loss": 1.5, "usage": 0.25}
    write_evaluation(folder, tokenizer.sig, codes, TOKENIZER, {"amplitude_correlation": 0.1})
    write_evaluation(folder, masked.sig, {"accuracy": 0.2, "loss": 3.0}, MASKED, {"accuracy": 0.15})
    for number, one in enumerate(tuned):
        metrics = {"balanced_accuracy": 0.6 + 0.1 * number, "auroc": 0.7, "accuracy": 0.9}
        write_evaluation(folder, one.sig, metrics, TUNED, {"balanced_accuracy": 0.5})


def lines_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def test_the_main_metric_of_a_staged_grid_is_that_of_the_last_stage(staged, tmp_path) -> None:
    evaluate(staged, tmp_path)
    assert main_metrics(staged, tmp_path) == ["balanced_accuracy", "auroc"]


def test_earlier_stages_do_not_outvote_the_last(tmp_path) -> None:
    """Symptom: the metric of most experiments, which in a grid of many tokenizers was theirs."""
    ups = [experiment(f"{i:08x}", solver="tokenizer") for i in range(3)]
    last = experiment("cccccccc", init_from="//sig/00000001", tokenizer=["//sig/00000000"])
    last.config.encoder = {"tokenizer": "//sig/00000000", "init_from": "//sig/00000002"}
    for up in ups:
        write_evaluation(tmp_path, up.sig, {"amplitude_correlation": 0.4}, TOKENIZER)
    write_evaluation(tmp_path, last.sig, {"balanced_accuracy": 0.6}, TUNED)
    assert main_metrics([*ups, last], tmp_path) == list(TUNED)


def test_finished_stages_are_rows_with_their_own_metric(staged, tmp_path) -> None:
    """Symptom: "missing: no balanced_accuracy" in the rows of a tokenizer that had finished."""
    evaluate(staged, tmp_path / "eval")
    path = table_of_grid("labram.debug", staged, [], tmp_path)
    text = path.read_text()
    assert "missing" not in text
    main_lines = lines_of(path.with_suffix(".csv"))
    values = {line["variant"]: line["balanced_accuracy"] for line in main_lines}
    assert list(values.values())[:4] == ["0.600", "0.700", "0.800", "0.500"]
    assert list(values)[3:] == ["chance", "ideal observer"]
    assert "amplitude_correlation" not in main_lines[0] and "accuracy" not in main_lines[0]
    row, chance = lines_of(path.parent / "table-tokenizer-amplitude_correlation.csv")
    assert row["amplitude_correlation"] == "0.400" and row["usage"] == "0.250"
    assert chance["variant"] == "chance" and chance["amplitude_correlation"] == "0.100"
    row, chance = lines_of(path.parent / "table-masked-accuracy.csv")  # no ideal observer here
    assert row["accuracy"] == "0.200" and chance["accuracy"] == "0.150"
    order = [text.index(word) for word in ("0.800", "## tokenizer: amp", "## masked: accuracy")]
    assert order == sorted(order)
    page = path.with_suffix(".html").read_text()
    assert "<h2>Results</h2>" in page and "<h2>masked: accuracy</h2>" in page
    for one in staged:
        assert one.sig in page


def test_a_metric_that_is_asked_for_leaves_the_other_stages_their_own(staged, tmp_path) -> None:
    """`accuracy` is one of the fine-tuned models and, of other things, of the masked one."""
    evaluate(staged, tmp_path)
    last, *others = stages_of(staged, tmp_path, ["accuracy"])
    assert last.metrics == ("accuracy",) and len(last.experiments) == 3
    assert [stage.name for stage in others] == [
        "tokenizer-amplitude_correlation", "masked-accuracy"
    ]  # fmt: skip


def test_stages_before_any_evaluation(staged, tmp_path) -> None:
    last, *others = stages_of(staged, tmp_path)
    assert last.metrics == ("balanced_accuracy",) and len(last.experiments) == 3
    assert [stage.title for stage in others] == ["tokenizer: loss", "masked: loss"]
    path = table_of_grid("labram.debug", staged, [], tmp_path)
    assert path.read_text().count("missing") == 2 * 5 + 3  # every row and the heads of the column


def test_the_solver_names_the_metric_of_a_speech_grid_before_its_evaluation(tmp_path) -> None:
    assert main_metrics(of_grid("clip.debug", main), tmp_path) == ["loss"]


def test_a_start_from_the_same_task_stays_in_its_table(tmp_path) -> None:
    first = experiment(UP, "seed=7")
    others = [experiment(f"cccccc0{i}", f"seed={i}", init_from=f"//sig/{UP}") for i in range(2)]
    for one in (first, *others):
        write_evaluation(tmp_path, one.sig, {"balanced_accuracy": 0.5}, TUNED)
    (stage,) = stages_of([first, *others], tmp_path)
    assert [e.sig for e in stage.experiments] == [UP, "cccccc00", "cccccc01"]


def test_tasks_with_other_metrics_are_not_missing(tmp_path) -> None:
    """Joint angles beside classifications: r2 is in a table of its own."""
    classes = [experiment(f"cccccc0{i}", dataset="tuab") for i in range(2)]
    angles = experiment("dddddddd", dataset="mobi")
    unfinished = experiment("eeeeeeee", "seed=1", dataset="mobi")
    for one in classes:
        write_evaluation(tmp_path, one.sig, {"balanced_accuracy": 0.5}, TUNED)
    write_evaluation(tmp_path, angles.sig, {"r2": 0.2, "rmse": 1.0}, ("r2", "rmse"))
    last, other = stages_of([angles, *classes, unfinished], tmp_path)
    assert last.metrics == TUNED and [e.sig for e in last.experiments] == ["cccccc00", "cccccc01"]
    assert other.metrics == ("r2", "rmse")
    assert [e.sig for e in other.experiments] == ["dddddddd", "eeeeeeee"]


def test_masked_models_with_other_targets_are_apart(tmp_path) -> None:
    codes = experiment("cccccccc", solver="masked")
    patches = experiment("dddddddd", solver="masked", dataset="e")
    tuned = experiment("eeeeeeee", init_from="//sig/cccccccc", encoder="//sig/dddddddd")
    write_evaluation(tmp_path, codes.sig, {"accuracy": 0.2, "loss": 3.0}, MASKED)
    write_evaluation(tmp_path, patches.sig, {"loss": 0.5}, ("loss",))
    names = [stage.name for stage in stages_of([codes, patches, tuned], tmp_path)]
    assert names == ["", "masked-accuracy", "masked-loss"]


def test_an_old_evaluation_is_one_of_classes(tmp_path) -> None:
    one = experiment("cccccccc", solver="baseline")
    write_evaluation(tmp_path, one.sig, {"balanced_accuracy": 0.5})
    assert main_metrics([one], tmp_path) == ["balanced_accuracy"]


def test_the_report_shows_each_stage_by_its_own_metric(staged, tmp_path) -> None:
    evaluate(staged, tmp_path / "eval")
    histories = ("amplitude_correlation", 0.4), ("accuracy", 0.2), ("balanced_accuracy", 0.6)
    for one, (metric, value) in zip(staged, histories, strict=False):
        one.history = [{"test": {metric: value, f"chance_{metric}": 0.1}}]
    page = write_report("labram.debug", staged, tmp_path / "report", tmp_path / "eval").read_text()
    for heading in ("tokenizer: amplitude_correlation", "masked: accuracy"):
        assert f", {heading}</h2>" in page
    for one in staged:
        one.history = []
    names = {path.name.split("-", 1)[1] for path in (tmp_path / "report").glob("*.svg")}
    assert names == {
        "scores.svg", "tokenizer-amplitude_correlation-scores.svg", "masked-accuracy-scores.svg"
    }  # fmt: skip


def test_a_grid_without_experiments_is_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match=r"empty\.grid names no experiment"):
        table_of_grid("empty.grid", [], [], tmp_path)


def test_a_metric_that_no_evaluation_has_is_refused_by_its_nearest(staged, tmp_path) -> None:
    """Symptom: a table in which every experiment was missing."""
    evaluate(staged, tmp_path / "eval")
    with pytest.raises(UserError, match="no evaluation has it; did you mean 'balanced_accuracy'"):
        table_of_grid("labram.debug", staged, ["balanced_acuracy"], tmp_path)
    with pytest.raises(UserError, match="metric=nonsense"):
        write_report("x", staged, tmp_path, tmp_path / "eval", "nonsense")

"""Cells of rows: values over seeds, references beside them, empty columns left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from bm.eval.published.rows import PublishedRow, Reference
from bm.eval.tables.cells import format_value, people_cell, reference_cells, table_cells, value_cell
from bm.eval.tables.rows import Row, rows_of
from bm.tests.eval.evaluations import experiment, write_evaluation


def test_values_over_seeds() -> None:
    assert format_value([]) == "missing" and format_value([0.5]) == "0.500"
    assert format_value([0.4, 0.6]) == "0.500 ± 0.141"  # sd of a sample: sqrt(2 * 0.1**2 / 1)
    assert format_value([0.5, 0.5]) == "0.500 ± 0.000"


def test_an_interval_belongs_to_one_seed() -> None:
    assert value_cell([0.5], (0.4, 0.6)) == "0.500 [0.400, 0.600]"
    assert value_cell([0.4, 0.6], (0.4, 0.6)) == "0.500 ± 0.141"
    assert value_cell([0.5], None) == "0.500" and value_cell([], (0.4, 0.6)) == "missing"


def test_few_people_are_told() -> None:
    assert people_cell(None, 0) == "" and people_cell(None, 5) == "5 people: too few"
    assert people_cell(None, 6) == "" and people_cell(0.0312, 7) == "0.031"


def test_rows_of_evaluations(tmp_path: Path) -> None:
    members = [experiment(f"cccccc0{i}", f"seed={i}") for i in range(3)]
    for seed, value in enumerate((0.5, 0.7)):
        metrics = {"balanced_accuracy": value, "auroc": 0.9, "loss": 1.0}
        write_evaluation(tmp_path, members[seed].sig, metrics, None, {"balanced_accuracy": 1 / 3})
    (row,) = rows_of(members, tmp_path, ["balanced_accuracy", "auroc", "kappa"])
    assert (row.dataset, row.variant, row.values) == ("d", "base", [0.5, 0.7])
    assert row.more == {"auroc": [0.9, 0.9]} and row.n_items == 9
    assert row.missing == ["cccccc02: not evaluated"] and row.sigs == [e.sig for e in members]
    ours, chance = table_cells([row], ["balanced_accuracy", "auroc", "kappa"], {})
    assert list(ours)[:4] == ["dataset", "variant", "balanced_accuracy", "auroc"]
    assert "kappa" not in ours and ours["seeds"] == "2"
    assert chance["balanced_accuracy"] == "0.333" and chance["auroc"] == ""


def test_the_largest_p_of_shifted_labels_stands_in_the_row() -> None:
    row = Row("d", "net", chance=0.5)
    for p in (0.02, 0.3):
        row.add({"metrics": {"a": 0.6}, "chance": {}, "n_items": 9, "extra": {"shift_p": p}}, ["a"])
    assert table_cells([row], ["a"], {})[0]["p, labels shifted"] == "0.3"
    row.add({"metrics": {"a": 0.6}, "chance": {}, "n_items": 9}, ["a"])  # written before
    assert row.shift_p == [0.02, 0.3]


def test_an_evaluation_without_the_metric_is_missing(tmp_path: Path) -> None:
    one = experiment("cccccccc")
    write_evaluation(tmp_path, one.sig, {"loss": 1.0})
    (row,) = rows_of([one], tmp_path, ["accuracy"])
    assert row.values == [] and row.missing == ["cccccccc: no accuracy"]


def test_rows_that_are_not_ours() -> None:
    failed = Row("d", "failed", missing=["x: missing"])
    row = Row("d", "net", [0.5], chance=0.25, chances={"accuracy": 0.25, "kappa": 0.0, "f1": 0.1})
    row.references = {"surrogate": {"accuracy": 0.3}, "other": {"loss": 1.0}}
    published = {"published: X": {"kappa": Reference(0.6, 0.01)}}
    lines = reference_cells([row, failed], published, ["accuracy", "kappa"])
    assert lines == [
        {"variant": "chance", "accuracy": "0.250", "kappa": "0.000"},
        {"variant": "surrogate", "accuracy": "0.300"},
        {"variant": "published: X", "kappa": "0.600 ± 0.010"},
    ]
    assert reference_cells([failed], {}, ["accuracy"]) == []


def test_chance_of_one_dataset_is_not_that_of_another() -> None:
    rows = [Row("d", "net", [0.5], chance=0.25), Row("e", "net", [0.5], chance=0.5)]
    lines = table_cells(rows, ["accuracy"], {})
    chances = {line["dataset"]: line["accuracy"] for line in lines if line["variant"] == "chance"}
    assert chances == {"d": "0.250", "e": "0.500"}


def test_published_values_of_another_dataset_are_not_shown() -> None:
    row = Row("d", "net", [0.5], published=PublishedRow("X", {"e": {"accuracy": Reference(0.9)}}))
    (line,) = table_cells([row], ["accuracy"], {})
    assert line["published as"] == "X" and "published accuracy" not in line


@pytest.mark.parametrize("value", [0.2, 0.25])
def test_an_observer_at_chance_is_no_goal(value: float) -> None:
    row = Row("d", "net", [0.5], chance=0.25)
    lines = table_cells(
        [row], ["accuracy"], {"d": {"ideal observer": {"accuracy": Reference(value)}}}
    )
    assert "from chance to ideal" not in lines[0]

"""Statistics and tables: right numbers, missing experiments shown, simulated data labelled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bm.eval.published.rows import IDEAL, PublishedRow, Reference
from bm.eval.tables.cells import format_value, table_cells
from bm.eval.tables.comparison import POOLED, add_tests, pooled_rows
from bm.eval.tables.formats import to_csv, to_latex, to_markdown
from bm.eval.tables.item_scores import Scores, mean_scores, read_scores
from bm.eval.tables.rows import Row
from bm.eval.tables.statistics import holm, wilcoxon_signed_rank


def test_signed_rank_is_the_exact_one_with_ties_too() -> None:
    generator = np.random.default_rng(2)
    for count in (6, 9, 20):
        first, second = generator.standard_normal((2, count)) + np.array([[0.4], [0.0]])
        expected = stats.wilcoxon(first, second, method="exact").pvalue
        assert wilcoxon_signed_rank(first, second) == pytest.approx(expected)
    # ranks 1.5 1.5 3.5 3.5 5.5 5.5, one sign of the smallest size: 2 * (1 + 2) / 2**6
    difference = [-0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert wilcoxon_signed_rank(difference, np.zeros(6)) == pytest.approx(2 * 3 / 64)
    assert wilcoxon_signed_rank([1.0] * 5, [0.0] * 5) is None  # 0.0625 at best
    assert wilcoxon_signed_rank([1.0] * 6, [0.0] * 6) == pytest.approx(2 / 64)
    assert wilcoxon_signed_rank([1.0] * 6, [1.0] * 6) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def scores_of(values: np.ndarray, people: np.ndarray, **columns: object) -> Scores:
    """Scores of items of one class by people of study `s`."""
    where = {"study": "s", "subject": people.astype(str), **columns}
    frame = pd.DataFrame({"score": np.asarray(values, float), "class": 0, **where})
    return Scores(frame)


def rows() -> list[Row]:
    right = scores_of(np.ones(30), np.arange(30) // 3)
    wrong = scores_of(np.arange(30) % 4 == 0, np.arange(30) // 3)
    return [
        Row("d", "net", [0.9, 1.0], 0.25, 30, [], ["a", "b"], right, True),
        Row("d", "lda", [0.25], 0.25, 30, [], ["c"], wrong, True),
        Row("d", "lost", [], None, 0, ["e: missing"], ["e"], Scores(), True),
    ]


def test_rows_show_chance_items_missing_and_simulated() -> None:
    table = table_cells(rows(), ["accuracy"], {"d": {IDEAL: {"accuracy": Reference(0.99)}}})
    text = to_markdown(table)
    assert "0.950 ± 0.071" in text and "e: missing" in text and "d (simulated)" in text
    assert [row["variant"] for row in table][-2:] == ["chance", "ideal observer"]
    assert len({len(line) for line in text.splitlines()}) == 1  # aligned
    assert to_csv(table).count("\n") == len(table) + 1
    assert "0.950 $\\pm$ 0.071" in to_latex(table) and "95 \\% CI" in to_latex(table)
    assert "a=[\\{'b': 1\\}] & $<$ 1" in to_latex([{"x": "a=[{'b': 1}]", "p": "< 1"}])


def test_the_paired_test_is_against_the_named_row() -> None:
    results = rows()
    add_tests(results, "lda")
    assert results[0].p == 2 / 2**10 and results[0].difference == pytest.approx(22 / 30)
    assert results[1].p is None and results[2].p is None
    assert format_value([]) == "missing"


def people(shift: float, count: int) -> Scores:
    return scores_of(0.5 + 0.01 * np.arange(count) + shift, np.arange(count))


def compared() -> list[Row]:
    rows = [
        Row(dataset, variant, [0.5 + shift], 0.1, 30, [], [variant], people(shift, count))
        for dataset, count in (("many", 8), ("few", 3))
        for variant, shift in (("base", 0.0), ("worse", -0.1), ("same", 0.0))
    ]
    rows.append(Row("few", "lost", [], None, 0, ["e: missing"], ["e"]))
    return rows


def test_people_are_compared_where_there_are_enough() -> None:
    rows = compared()
    add_tests(rows, "base")
    assert rows[1].p_people == pytest.approx(2 * 2 / 2**8)  # Holm over two rows
    assert rows[2].p_people == 1.0 and rows[4].p_people is None
    table = table_cells(rows, ["accuracy"], {})
    assert [row["p, people"] for row in table[:3]] == ["", "0.016", "1"]
    assert (
        table[5]["p, people"] == "3 people: too few" and table[5]["p, units"] == "3 people: too few"
    )


def test_people_of_all_data_sets_are_pooled_rows() -> None:
    rows = compared()
    base, worse, same = pooled_rows(rows, "base")
    assert {row.dataset for row in (base, worse, same)} == {POOLED}  # without the row that is lost
    assert worse.n_people == 11 and worse.p_people == pytest.approx(2 * 2 / 2**11)
    assert worse.values == [pytest.approx(0.4)] and base.p_people is None
    assert not pooled_rows([row for row in rows if row.dataset == "many"], "base")


def test_scores_of_items_and_people(tmp_path) -> None:
    where = {"study": "s", "subject": ["a", "a", "b", "b"], "session": "0", "run": "0"}
    frame = pd.DataFrame({**where, "start_s": [0.0, 1.0, 0.0, 0.0], "rank": [0, 12, 9, 10]})
    frame.to_parquet(tmp_path / "items.parquet")
    rule = {"item_scores": {"top10_accuracy": {"column": "rank", "below": 10}}}
    scores = read_scores(tmp_path / "items.parquet", rule, "top10_accuracy")
    assert scores.items["score"].tolist() == [1, 0, 1, 0]  # two windows at one moment stay two
    assert scores.people == {"s/a": 0.5, "s/b": 0.5} and scores.counts == {"s/a": 2, "s/b": 2}
    assert not len(read_scores(tmp_path / "items.parquet", rule, "median_rank"))
    assert not len(read_scores(tmp_path / "items.parquet", {}, "top10_accuracy"))
    worse = Scores(scores.items[:2].assign(score=0.0))  # another seed tested one person alone
    assert mean_scores([scores, worse]).people == {"s/a": 0.25}
    frame.assign(label=1, prediction=[1, 0, 1, 1]).to_parquet(tmp_path / "items.parquet")
    scores = read_scores(tmp_path / "items.parquet", {}, "balanced_accuracy")
    assert scores.people == {"s/a": 0.5, "s/b": 1.0}


def test_share_of_the_way_to_the_ideal_observer_and_published_values() -> None:
    results = rows()
    results[0].published = PublishedRow(
        "net", {"d": {"accuracy": Reference(0.9, 0.01)}}, {}, "0.02"
    )
    table = table_cells(results, ["accuracy"], {"d": {IDEAL: {"accuracy": Reference(1.0)}}})
    assert table[0]["from chance to ideal"] == "93%"  # (0.95 - 0.25) / (1 - 0.25)
    assert table[1]["from chance to ideal"] == "0%" and not table[2]["from chance to ideal"]
    assert table[0]["published accuracy"] == "0.900 ± 0.010" and table[0]["published as"] == "net"

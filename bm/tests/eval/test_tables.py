"""Statistics and tables: right numbers, missing experiments shown, simulated data labelled."""

from __future__ import annotations

import numpy as np
import pytest

from bm.eval.statistics import holm, mean_interval, paired_permutation
from bm.eval.tables import Row, add_tests, cells, format_value, to_csv, to_latex, to_markdown


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = [low < 0 < high for low, high in
            (mean_interval(generator.standard_normal(5)) for _ in range(2000))]  # fmt: skip
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)
    assert np.isnan(mean_interval([1.0])).all()


def test_permutation_p_is_uniform_without_a_difference_and_small_with_one() -> None:
    generator = np.random.default_rng(1)
    p = [paired_permutation(*generator.standard_normal((2, 20)), draws=199, seed=i)
         for i in range(300)]  # fmt: skip
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.06)
    assert paired_permutation(np.ones(20), np.zeros(20)) < 0.001
    assert paired_permutation([1, 0], [1, 0]) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def rows() -> list[Row]:
    good = {("r", i): 1.0 for i in range(30)}
    bad = {("r", i): float(i % 4 == 0) for i in range(30)}
    return [
        Row("d", "net", [0.9, 1.0], 0.25, 30, [], ["a", "b"], good, True),
        Row("d", "lda", [0.25], 0.25, 30, [], ["c"], bad, True),
        Row("d", "lost", [], None, 0, ["e: missing"], ["e"], {}, True),
    ]


def test_rows_show_chance_items_missing_and_simulated() -> None:
    table = cells(rows(), "accuracy", {"d": {"ideal observer": 0.99}})
    text = to_markdown(table)
    assert "0.950 ± 0.071" in text and "e: missing" in text and "d (simulated)" in text
    assert [row["variant"] for row in table][-2:] == ["chance", "ideal observer"]
    assert len({len(line) for line in text.splitlines()}) == 1  # aligned
    assert to_csv(table).count("\n") == len(table) + 1
    assert "0.950 $\\pm$ 0.071" in to_latex(table) and "95 \\% CI" in to_latex(table)


def test_the_paired_test_is_against_the_named_row() -> None:
    made = rows()
    add_tests(made, "lda")
    assert made[0].p is not None and made[0].p < 0.001
    assert made[1].p is None and made[2].p is None
    assert format_value([]) == "missing"

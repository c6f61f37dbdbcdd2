"""Models over data sets: ranks, distances and tests against SciPy and published tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bm.errors import UserError
from bm.eval.tables.ranks import (
    against_reference,
    bayesian_signed_rank,
    nemenyi_distance,
    rank_models,
)


def table(models: int, datasets: int, seed: int = 0) -> dict[str, dict[str, float]]:
    generator = np.random.default_rng(seed)
    values = generator.random((models, datasets)).round(1) + 0.4 * np.arange(models)[:, None]
    return {f"m{i}": {f"d{j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(values)}


def test_friedman_is_that_of_scipy_with_ties_too() -> None:
    values = table(4, 9)
    ranks = rank_models(values)
    expected = stats.friedmanchisquare(*[list(row.values()) for row in values.values()])
    assert ranks.p == pytest.approx(expected.pvalue)
    assert next(iter(ranks.means)) == "m3" and sum(ranks.means.values()) == pytest.approx(10)
    assert rank_models(values, larger_is_better=False).means["m0"] < 2


@pytest.mark.parametrize(("models", "q"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_distance_is_that_of_the_published_table(models: int, q: float) -> None:
    """Critical values of Demsar 2006, table 5."""
    expected = q * np.sqrt(models * (models + 1) / (6 * 20))
    assert nemenyi_distance(models, 20) == pytest.approx(expected, rel=1e-3)


def test_models_that_are_not_told_apart_stand_in_a_group() -> None:
    rank = rank_models(table(4, 9))
    assert rank.groups() == [["m3", "m2", "m1"], ["m1", "m0"]]  # 1.5 and 1.2 apart, of 1.56
    few = rank_models(table(4, 5))
    assert few.p is None and few.distance is None and few.groups() == [list(few.means)]


def test_wilcoxon_over_data_sets_is_corrected() -> None:
    values = table(3, 8, 1)
    p_values = against_reference(values, "m0")
    rows = {n: list(row.values()) for n, row in values.items()}
    raw = stats.wilcoxon(rows["m2"], rows["m0"], method="exact").pvalue
    assert p_values["m2"] == pytest.approx(2 * raw) and set(p_values) == {"m1", "m2"}
    assert against_reference(table(2, 5), "m0") == {"m1": None}


def test_bayesian_test_names_worse_alike_and_better() -> None:
    generator = np.random.default_rng(2)
    better = bayesian_signed_rank(generator.normal(0.1, 0.02, 12))
    alike = bayesian_signed_rank(generator.normal(0, 0.002, 12))
    assert better is not None and better[2] > 0.99
    assert alike is not None and alike[1] > 0.99
    one = generator.normal(0.02, 0.05, 10)
    first, second = bayesian_signed_rank(one, 0.0), bayesian_signed_rank(-one, 0.0)
    assert first is not None and second is not None
    assert first[0] == pytest.approx(second[2], abs=0.02) and sum(first) == pytest.approx(1)
    assert bayesian_signed_rank([0.1] * 5) is None


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to compare"):
        rank_models({"a": {"d": 1.0}})
    with pytest.raises(UserError, match="no data set has a value of every model"):
        rank_models({"a": {"d": 1.0}, "b": {"e": 1.0}})

"""Metrics of predicted values against scikit-learn and SciPy, and where they are not defined."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from bm.metrics.values import pearson, value_metrics


def test_metrics_are_those_of_scikit_learn_and_scipy() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    predicted = true + rng.normal(size=(50, 3)) * [0.5, 20.0, 0.01]
    metrics = value_metrics(predicted, true)
    assert metrics["r2"] == pytest.approx(sklearn_metrics.r2_score(true, predicted))
    expected = [stats.pearsonr(predicted[:, i], true[:, i]).statistic for i in range(3)]
    assert metrics["pearson"] == pytest.approx(np.mean(expected))
    rmse = sklearn_metrics.root_mean_squared_error(true, predicted)
    assert metrics["rmse"] == pytest.approx(rmse)


def test_by_hand() -> None:
    # Errors 1, 0, -1 around values 0, 1, 2: 2/3 over a variance of 2/3.
    metrics = value_metrics(np.array([[1.0], [1.0], [1.0]]), np.array([[0.0], [1.0], [2.0]]))
    assert metrics == {
        "r2": pytest.approx(0.0), "pearson": 0.0, "rmse": pytest.approx((2 / 3) ** 0.5)
    }  # fmt: skip


def test_a_constant_value_is_in_no_mean_but_in_the_error() -> None:
    true = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    predicted = true + np.array([0.0, 2.0])
    metrics = value_metrics(predicted, true)
    assert metrics["r2"] == 1.0 and metrics["pearson"] == pytest.approx(1.0)
    assert metrics["rmse"] == pytest.approx((0 + 2) / 2)
    alone = value_metrics(predicted[:, 1:], true[:, 1:])
    assert np.isnan(alone["r2"]) and np.isnan(alone["pearson"]) and alone["rmse"] == 2.0


def test_correlation_knows_its_sign_and_neither_scale_nor_offset() -> None:
    series = np.array([1.0, 2.0, 4.0])
    assert pearson(3 * series + 7, series) == pytest.approx(1.0)
    assert pearson(-series, series) == pytest.approx(-1.0)
    assert pearson(series, np.ones(3)) == pearson(np.ones(3), series) == 0.0


def test_integers_do_not_overflow() -> None:
    true = np.array([[0], [200]], np.uint8)
    assert value_metrics(np.array([[200], [0]], np.uint8), true)["rmse"] == 200.0

"""Streamed metrics equal those of the whole, and count masked positions alone."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics.online import OnlineAccuracy, OnlineCorrelation, OnlineSquaredError


def test_online_metrics_equal_those_of_the_whole() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.standard_normal((2, 30, 2, 4))
    y += x
    mask = np.ones((30, 1, 4), bool)
    correlation, error = OnlineCorrelation(), OnlineSquaredError()
    for part in (slice(0, 7), slice(7, 30)):
        correlation.update(x[part], y[part], mask[part])
        error.update(x[part], y[part], mask[part])
    expected = [[np.corrcoef(x[:, c, t], y[:, c, t])[0, 1] for t in range(4)] for c in range(2)]
    np.testing.assert_allclose(correlation.result(), expected, atol=1e-9)
    np.testing.assert_allclose(error.result(), np.square(x - y).mean(0))
    assert error.reduced() == pytest.approx(np.sqrt(np.square(x - y).mean()))


def test_accuracy_counts_masked_items_only() -> None:
    scores = np.array([[[1.0], [0.0]], [[0.0], [1.0]], [[0.0], [1.0]]])
    labels = np.array([[[0]], [[1]], [[0]]])
    accuracy = OnlineAccuracy()
    accuracy.update(scores, labels, np.array([[[1]], [[1]], [[0]]]))
    assert accuracy.reduced() == 1.0
    with pytest.raises(ValueError, match="no item"):
        OnlineCorrelation().result()


def test_masked_items_change_nothing() -> None:
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((2, 20, 1, 3))
    mask = generator.random((20, 1, 3)) < 0.6
    correlation, error = OnlineCorrelation(), OnlineSquaredError()
    spoiled = np.where(mask, x, 1e6)
    correlation.update(spoiled, y, mask)
    error.update(spoiled, y, mask)
    for t in range(3):
        rows = mask[:, 0, t]
        expected = np.corrcoef(x[rows, 0, t], y[rows, 0, t])[0, 1]
        assert correlation.result()[0, t] == pytest.approx(expected)
        assert error.result()[0, t] == pytest.approx(np.square(x - y)[rows, 0, t].mean())


def test_complex_values_correlate_by_their_real_part() -> None:
    generator = np.random.default_rng(3)
    x = generator.standard_normal((40, 1, 1)) + 1j * generator.standard_normal((40, 1, 1))
    for factor, expected in ((2.0, 1.0), (-1.0, -1.0), (1j, 0.0)):
        correlation = OnlineCorrelation()
        correlation.update(x, factor * x + 3, np.ones((40, 1, 1)))
        assert correlation.result().item() == pytest.approx(expected, abs=1e-9)


def test_positions_where_nothing_counts() -> None:
    x = np.random.default_rng(4).standard_normal((5, 1, 2))
    mask = np.array([True, False]) * np.ones((5, 1, 1), bool)
    correlation, error, accuracy = OnlineCorrelation(), OnlineSquaredError(), OnlineAccuracy()
    correlation.update(x, x, mask)
    error.update(x, x + 2, mask)
    accuracy.update(np.concatenate([x, x + 1], 1), np.ones((5, 1, 2)), mask)
    assert correlation.result().tolist() == [[pytest.approx(1.0), 0.0]]
    assert error.result()[0, 0] == pytest.approx(4.0) and np.isnan(error.result()[0, 1])
    assert error.reduced() == pytest.approx(2.0) and accuracy.reduced() == 1.0
    assert np.isnan(accuracy.result()[0, 1])


def test_a_constant_side_correlates_with_nothing() -> None:
    x = np.random.default_rng(5).standard_normal((30, 1, 1))
    correlation = OnlineCorrelation()
    correlation.update(x, np.full_like(x, 7.0), np.ones_like(x))
    assert correlation.result().item() == pytest.approx(0.0, abs=1e-3)


def test_one_item_correlates_with_nothing() -> None:
    correlation = OnlineCorrelation()
    correlation.update(np.full((1, 1, 1), 2.0), np.full((1, 1, 1), 3.0), np.ones((1, 1, 1)))
    assert correlation.result().item() == 0.0

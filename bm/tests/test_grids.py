"""Explorers never raise on what a metric may be: missing, not finite, not a number."""

from __future__ import annotations

import json
import math

import pytest

from grids._explorers import BaseExplorer, SupervisedExplorer
from grids._hiplot import MainHP

HISTORIES = [
    [],
    [{}],
    [{"train": {"loss": float("nan")}, "valid": None}],
    [{"train": {"loss": 1.0}}, {"valid": {"loss": "text"}, "perf": {"items_per_s": math.inf}}],
]


@pytest.mark.parametrize("kind", [BaseExplorer, SupervisedExplorer])
@pytest.mark.parametrize("history", HISTORIES)
def test_table_of_any_history(kind, history) -> None:
    explorer = kind(lambda launcher: None)
    found = explorer.process_history(history)
    assert found["train"]["epoch"] == len(history)
    groups = {group.key for group in explorer.get_grid_metrics()}
    assert set(found) <= groups


@pytest.mark.parametrize("history", HISTORIES)
def test_hiplot_of_any_history_is_json(history) -> None:
    points = MainHP().process_history(None, history)
    assert len(points) == len(history)
    json.dumps(points, allow_nan=False)


def test_hiplot_keeps_the_main_metrics() -> None:
    entry = {"valid": {"loss": 1.0, "balanced_accuracy": 0.5, "chance_accuracy": 0.25}}
    assert MainHP().process_metrics(None, entry)["valid"] == {"loss": 1.0, "balanced_accuracy": 0.5}


def test_hiplot_shows_the_best_loss_so_far() -> None:
    """Symptom: the original asks the history for a best loss that nobody writes there."""
    history = [{"valid": {"loss": v}} for v in (3.0, 1.0, float("nan"), 2.0)]
    points = MainHP().process_history(None, history)
    assert [point["valid"].get("best") for point in points] == [3.0, 1.0, None, 1.0]
    assert all("best" not in entry["valid"] for entry in history)

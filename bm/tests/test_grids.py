"""Explorers never raise on what a metric may be: missing, not finite, not a number."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from bm.xp.listing import explorer_of, grid_names
from grids._explorers import BaseExplorer, SupervisedExplorer
from grids._hiplot import MainHP
from grids.clip._explorer import ClipExplorer
from grids.eeg2speech._explorer import SpeechExplorer
from grids.eegdiff._explorer import DiffusionExplorer, MapExplorer, ObedienceExplorer
from grids.labram._explorer import LabramExplorer

EXPLORERS = [BaseExplorer, SupervisedExplorer, ClipExplorer, DiffusionExplorer, LabramExplorer]
EXPLORERS += [MapExplorer, ObedienceExplorer, SpeechExplorer]
HISTORIES = [
    [],
    [{}],
    [{"train": {"loss": float("nan")}, "valid": None}],
    [{"train": {"loss": 1.0}}, {"valid": {"loss": "text"}, "perf": {"items_per_s": math.inf}}],
]


def columns_of(explorer: BaseExplorer) -> dict[str, list[str]]:
    """Names of the columns of every group."""
    return {group.key: [leaf.key for leaf in group.groups] for group in explorer.get_grid_metrics()}


@pytest.mark.parametrize("kind", EXPLORERS)
@pytest.mark.parametrize("history", HISTORIES)
def test_table_of_any_history(kind, history) -> None:
    explorer = kind(lambda launcher: None)
    values = explorer.process_history(history)
    assert values["train"]["epoch"] == len(history)
    assert all(math.isfinite(v) for metrics in values.values() for v in metrics.values())
    assert set(columns_of(explorer)) <= set(values)


def test_the_last_finite_value_is_shown() -> None:
    history = [{"valid": {"loss": v}} for v in (3.0, 1.0, 2.0, math.nan)]
    values = ClipExplorer(lambda launcher: None).process_history(history)
    assert values["valid"] == {"loss": 2.0, "best": 1.0}


@pytest.mark.parametrize("kind", EXPLORERS[1:])
def test_declared_columns_are_shown_in_their_order(kind) -> None:
    columns = columns_of(kind(lambda launcher: None))
    assert columns.pop("train") == ["epoch", "loss"]
    assert columns == {s: list(names) for s, names in kind.columns.items() if s != "train"}


def test_every_shipped_grid_has_an_explorer_with_columns() -> None:
    for grid in grid_names():
        assert columns_of(explorer_of(grid))["train"] == ["epoch", "loss"], grid


def trained(folder: Path, name: str, table: list[str] | None) -> SimpleNamespace:
    """An experiment as Dora hands it to an explorer, evaluated where there is a table."""
    folder = folder / name
    folder.mkdir()
    if table is not None:
        (folder / "evaluation.json").write_text(json.dumps({"extra": {"table": table}}))
    return SimpleNamespace(xp=SimpleNamespace(folder=folder))


def test_a_new_family_declares_nothing(tmp_path) -> None:
    """Columns are those that the evaluations of the grid's experiments name."""
    explorer = BaseExplorer(lambda launcher: None)
    assert columns_of(explorer) == {
        "train": ["epoch", "loss"],
        "valid": ["loss"],
        "perf": ["items_per_s", "data_wait"],
    }
    test = {"word_error": 0.5, "chance_word_error": 0.9, "chance_loss": 4.0, "loss": 2.0}
    decoder = [{"train": {"loss": 2.0}, "valid": {"loss": 2.0, "word_error": 0.6}, "test": test}]
    codes = [{"valid": {"usage": 0.5}, "test": {"usage": 0.25}}]
    running = trained(tmp_path, "running", None)
    assert explorer.process_sheep(running, decoder)["valid"]["word_error"] == 0.6
    assert "test" not in columns_of(explorer)
    explorer.process_sheep(trained(tmp_path, "decoder", ["word_error", "loss"]), decoder)
    values = explorer.process_sheep(trained(tmp_path, "codes", ["usage", "absent"]), codes)
    assert values["test"]["usage"] == 0.25
    columns = columns_of(explorer)
    assert columns["valid"] == ["loss", "word_error", "usage"]
    assert columns["test"] == ["word_error", "chance_word_error", "loss", "usage"]
    titles = [leaf.display for group in explorer.get_grid_metrics() for leaf in group.groups]
    assert titles.count("chance") == 1


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

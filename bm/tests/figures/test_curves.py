"""Figures are written whole, labelled, and survive metrics that are missing or not finite."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bm.figures import curves
from bm.figures.curves import (
    draw_learning_curves,
    draw_scores,
    legend_room,
    shortened,
    values_of,
)
from bm.figures.style import PALETTE

HISTORY = [
    {"train": {"loss": 1.0, "accuracy": 0.3}, "valid": {"loss": 1.1, "accuracy": 0.3}},
    {"train": {"loss": 0.8, "accuracy": 0.5}, "valid": {"loss": float("nan"), "accuracy": 0.4}},
    {"train": {"loss": 0.7, "accuracy": 0.6}, "valid": {"loss": 0.9}},
]


def test_values_leave_out_what_is_missing_or_not_finite() -> None:
    epochs, values = values_of(HISTORY, "valid", "loss")
    assert epochs.tolist() == [1, 3]
    np.testing.assert_allclose(values, [1.1, 0.9])
    assert values_of(HISTORY, "test", "loss")[0].size == 0


@pytest.mark.parametrize("simulated", [True, False])
def test_learning_curves_carry_chance_and_the_label_of_simulated_data(
    tmp_path: Path, simulated: bool
) -> None:
    path = draw_learning_curves(
        {"net": [HISTORY, HISTORY[:2]]}, "accuracy", tmp_path / "c.svg", 0.25, simulated
    )
    text = path.read_text()
    assert "chance" in text and "net" in text
    assert ("simulated data" in text) is simulated
    assert [p.name for p in tmp_path.iterdir()] == ["c.svg"]  # nothing half-written is left


def test_the_loss_is_drawn_once_where_it_is_the_metric(tmp_path: Path) -> None:
    texts = [
        draw_learning_curves({"net": [HISTORY]}, metric, tmp_path / "c.svg").read_text()
        for metric in ("loss", "accuracy")
    ]
    assert [text.count(">epoch<") for text in texts] == [1, 2]


def test_a_single_epoch_is_two_points_at_a_whole_number(tmp_path: Path) -> None:
    one, three = (
        draw_learning_curves({"net": [run]}, "loss", tmp_path / "c.svg").read_text()
        for run in (HISTORY[:1], HISTORY)
    )
    point = re.compile(f"<use [^>]*{PALETTE[0].lower()}")
    assert len(point.findall(one)) == 3 and not point.findall(three)  # train, valid and the legend
    assert ">1<" in one and ">0.98<" not in one


def test_scores_show_every_reference_level(tmp_path: Path) -> None:
    levels = {"chance": 0.25, "ideal observer": 0.96}
    path = draw_scores({"a": [0.6, 0.7], "b": [0.5]}, tmp_path / "s.svg", "accuracy", levels)
    text = path.read_text()
    assert all(label in text for label in levels)


def test_a_metric_of_no_epoch_takes_no_room(tmp_path):
    history = [{"train": {"loss": 1.0 / i}, "valid": {"loss": 1.1 / i}} for i in (1, 2, 3)]
    one = draw_learning_curves({"a": [history]}, "distance", tmp_path / "a.svg", 0.5)
    other = draw_learning_curves({"a": [history]}, "loss", tmp_path / "b.svg")
    assert "distance" not in one.read_text()
    assert one.read_text().count("axes_") == other.read_text().count("axes_")


def test_long_names_have_a_line_each_and_are_cut_in_the_middle() -> None:
    assert legend_room(["base", "model=eegnet"], 175.0)[0] == 2
    columns, letters = legend_room(["solver=labram/eegmat " * 5], 175.0)
    assert columns == 1 and letters > 100
    name = shortened("solver=labram/eegmat init_from=//sig/4940ffcd seed=1", 21)
    assert len(name) == 21 and name.startswith("solver=") and name.endswith("seed=1")
    assert shortened("base", 21) == "base"


def test_panels_have_one_range_of_epochs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Symptom: a metric of the last epoch alone stood beside epochs 96 to 104."""
    ranges: list[tuple[float, float]] = []
    monkeypatch.setattr(
        curves, "save", lambda drawing, path: ranges.extend(a.get_xlim() for a in drawing.axes)
    )
    run = [{"train": {"loss": 1.0}} for _ in range(100)]
    run[-1]["valid"] = {"loss": 0.5, "accuracy": 0.8}
    curves.draw_learning_curves({"a": [run]}, "accuracy", tmp_path / "c.svg")
    assert len(ranges) == 2 and ranges[0] == ranges[1] and ranges[0][1] >= 100 > 10 > ranges[0][0]

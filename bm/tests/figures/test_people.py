"""Figures of people: everybody is drawn with an interval, in one order, with chance."""

from __future__ import annotations

import re
from pathlib import Path

from bm.figures.people import Share, draw_people, draw_training_people
from bm.figures.style import figure, label_simulated


def shares(values: dict[str, float]) -> dict[str, Share]:
    return {f"s/{k}": Share(v, max(0, v - 0.1), v + 0.1) for k, v in values.items()}


def test_a_person_of_too_few_units_has_no_interval(tmp_path: Path) -> None:
    def lines(share: Share) -> int:
        return (
            draw_people({"a": {"s/1": share}}, tmp_path / "p.svg", "x").read_text().count("<path")
        )

    assert lines(Share(0.5)) == lines(Share(0.5, 0.4, 0.6)) - 1


def names(text: str) -> list[str]:
    """Tick labels and titles in the order of the file."""
    return [name.strip() for name in re.findall(r"<text [^>]*>([^<]*)</text>", text)]


def test_people_stand_in_the_order_of_the_first_row(tmp_path: Path) -> None:
    rows = {
        "base": shares({"ann": 0.2, "bob": 0.8, "cid": 0.5}),
        "other": shares({"ann": 0.4, "dan": 0.3}),
    }
    path = draw_people(rows, tmp_path / "p.svg", "top10_accuracy", 0.1, True)
    texts = names(path.read_text())
    ticks = [name for name in texts if name in ("ann", "bob", "cid", "dan")]
    assert ticks == ["bob", "cid", "ann", "dan"] * 2
    assert "base (3 people, mean 0.500)" in texts and "other (2 people, mean 0.350)" in texts
    assert texts.count("chance") == 2 and "simulated data" in texts


def test_many_people_are_not_named(tmp_path: Path) -> None:
    rows = {"base": shares({f"{i:03d}": i / 100 for i in range(96)})}
    texts = names(draw_people(rows, tmp_path / "p.svg", "accuracy").read_text())
    assert "people, in the order of the first panel" in texts
    assert "000" not in texts and "chance" not in texts


def test_training_people_are_the_axis(tmp_path: Path) -> None:
    values = {3: [0.2, 0.3, 0.25], 6: [0.4, 0.5, 0.45], 27: [0.7]}
    path = draw_training_people({"": values}, tmp_path / "t.svg", "top10_accuracy", 0.01)
    text = path.read_text()
    assert {"people who train", "chance", "3", "6", "27"} <= set(names(text))
    lines = [len(re.findall("[ML]", d)) for d in re.findall(r'<path d="([^"]*)"', text)]
    assert 3 in lines  # the line of means
    assert draw_training_people({"a": values, "b": values}, tmp_path / "u.svg", "x").exists()


def test_the_stamp_of_simulated_data_covers_no_name(tmp_path: Path) -> None:
    """Symptom: "simulated data" over the name of the last person."""
    with figure(160.0, 60.0) as (drawing, axis):
        axis.plot([0, 1], [0, 1])
        axis.set_xticks([0, 1], ["ann", "bob"])
        label_simulated(drawing, True)
        drawing.canvas.draw()
        stamp = drawing.texts[0].get_window_extent()
        assert not any(
            label.get_window_extent().overlaps(stamp) for label in axis.get_xticklabels()
        )

from __future__ import annotations

import numpy as np

from bm.figures.confusion import draw_confusion


def test_shares_are_per_true_class(tmp_path) -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    decided = np.array([0, 0, 0, 1, 1, 0])
    path = draw_confusion(labels, decided, ("rest", "move", "never"), tmp_path / "c.svg", True)
    text = path.read_text()
    shares = [text.count(f">{share}<") for share in ("0.75", "0.25", "0.50", "0.00")]
    assert shares == [1, 1, 2, 5]
    assert "rest (4)" in text and "never (0)" in text and "simulated data" in text


def test_many_classes_have_no_numbers(tmp_path) -> None:
    labels = np.arange(30)
    text = draw_confusion(labels, labels, [f"w{i}" for i in labels], tmp_path / "c.svg").read_text()
    assert "1.00" not in text and "w29 (1)" in text and "simulated" not in text

"""Figures of tokenizers and of decoded values."""

from __future__ import annotations

import numpy as np
import pytest

from bm.figures.codebook import draw_code_use
from bm.figures.reconstruction import draw_reconstructions
from bm.figures.values import draw_values


def test_use_of_codes_names_how_many_are_used(tmp_path) -> None:
    path = draw_code_use(np.array([5, 0, 2, 0]), tmp_path / "codes.svg", simulated=True)
    text = path.read_text()
    assert "2 of 4 used" in text and "simulated data" in text
    rare = draw_code_use(np.array([500, 20, 2]), tmp_path / "rare.svg").read_text()
    assert "mathdefault" in rare and "mathdefault" not in text  # powers of ten, on a log axis
    with pytest.raises(ValueError, match="no code"):
        draw_code_use(np.zeros(3), tmp_path / "none.svg")


def test_reconstructions_show_both_sides(tmp_path) -> None:
    curves = np.random.default_rng(0).normal(size=(6, 9))
    pairs = [("amplitude", "Hz", curves, 0 * curves), ("phase", "Hz", curves, curves)]
    text = draw_reconstructions(pairs, tmp_path / "both.svg").read_text()
    assert all(word in text for word in ("mean of 6", "from codes", "amplitude", "phase"))
    with pytest.raises(ValueError, match="no reconstructions"):
        draw_reconstructions([], tmp_path / "none.svg")


@pytest.mark.parametrize("count", [1, 5])
def test_values_have_a_picture_each(tmp_path, count) -> None:
    x = np.linspace(-1, 1, 30)
    pairs = {f"joint{i}": (x, 0.5 * x) for i in range(count)}
    text = draw_values(pairs, tmp_path / "values.svg", simulated=True).read_text()
    assert all(name in text for name in pairs) and "simulated data" in text

"""Maps of all sides share their colours; both orders of the axes give one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bm.figures.spectrogram import draw_spectrograms

TIMES_S, FREQS_HZ = np.arange(12) / 10, np.arange(1.0, 31.0)


@pytest.fixture
def values() -> np.ndarray:
    """Values (T, F), louder with time, falling with frequency."""
    return np.arange(12.0)[:, None] - 10 * np.log10(FREQS_HZ)


@pytest.fixture
def meshes(monkeypatch: pytest.MonkeyPatch) -> list:
    """Every mesh that is drawn: its values (F, T) and its limits of colour."""
    drawn: list = []
    draw = Axes.pcolormesh

    def watch(self, *args, **options):
        mesh = draw(self, *args, **options)
        if options.get("shading") == "nearest":  # the colour bar is a mesh too
            drawn.append((np.ma.asarray(args[2]), mesh.get_clim()))
        return mesh

    monkeypatch.setattr(Axes, "pcolormesh", watch)
    return drawn


def test_sides_axes_and_colours_are_named(tmp_path: Path, values: np.ndarray) -> None:
    maps = {"real": values, "generated": values - 3}
    path = tmp_path / "m.svg"
    text = draw_spectrograms(
        maps, TIMES_S, FREQS_HZ, path, title="channel Cz", simulated=True
    ).read_text()
    words = ["real", "generated", "frequency (Hz)", "dB re 1 µV²/Hz", "channel Cz"]
    words.append("simulated data")
    assert [text.count(f">{word}<") for word in words] == [1] * len(words)
    assert text.count(">time (s)<") == 2
    assert [p.name for p in tmp_path.iterdir()] == ["m.svg"]
    assert plt.get_fignums() == []


def test_both_sides_have_the_same_colours_whatever_their_order(
    tmp_path: Path, values: np.ndarray, meshes: list
) -> None:
    draw_spectrograms(
        {"real": values, "generated": values.T + 20}, TIMES_S, FREQS_HZ, tmp_path / "m.svg"
    )
    (real, limits), (generated, other_limits) = meshes
    np.testing.assert_allclose(real, values.T)
    np.testing.assert_allclose(generated, values.T + 20)
    assert limits == other_limits
    assert values.min() <= limits[0] < values.max() < limits[1] <= values.max() + 20


def test_a_square_map_is_taken_as_times_by_frequencies(tmp_path: Path, meshes: list) -> None:
    square = np.arange(9.0).reshape(3, 3)
    draw_spectrograms({"": square}, TIMES_S[:3], FREQS_HZ[:3], tmp_path / "m.svg")
    np.testing.assert_allclose(meshes[0][0], square.T)


def test_unknown_values_are_masked(tmp_path: Path, values: np.ndarray, meshes: list) -> None:
    values[0, 0], values[3, 2] = -np.inf, np.nan
    text = draw_spectrograms({"real": values}, TIMES_S, FREQS_HZ, tmp_path / "m.svg").read_text()
    assert np.ma.count_masked(meshes[0][0]) == 2 and np.isfinite(meshes[0][1]).all()
    assert "simulated" not in text


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({}, "no spectrograms"),
        ({"real": np.ones((12, 29))}, r"'real' has shape \(12, 29\), not \(12 times, 30 freq"),
        ({"real": np.ones((12, 30)), "generated": np.ones((1, 12, 30))}, "'generated' has shape"),
        ({"real": np.full((12, 30), -np.inf)}, "no finite value"),
    ],
)
def test_what_cannot_be_drawn_is_refused(maps: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        draw_spectrograms(maps, TIMES_S, FREQS_HZ, tmp_path / "m.svg")

"""Heads in rows of sets and columns of bands; places that are unknown or wrong are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from bm.figures import topography
from bm.figures.topography import covers_the_head, draw_topographies


def cap(rings: int = 3, lowest: float = 0.0) -> np.ndarray:
    """(C, 3) electrodes in rings around the vertex of a head of 9 cm, down to a height."""
    places = [(0.0, 0.0, 0.09)]
    for height in np.linspace(0.09, lowest, rings + 1)[1:]:
        reach = np.sqrt(0.09**2 - height**2)
        places += [
            (reach * np.sin(a), reach * np.cos(a), height) for a in np.arange(0, 6, np.pi / 4)
        ]
    return np.array(places)


POSITIONS = cap()
RISING = POSITIONS[:, 1] * 100  # louder to the front


def test_rows_are_sets_and_columns_bands(tmp_path: Path) -> None:
    values = {
        "alpha": {"real": RISING, "generated": RISING / 2},
        "beta": {"real": -RISING, "generated": RISING},
    }
    text = draw_topographies(values, POSITIONS, tmp_path / "t.svg", simulated=True).read_text()
    words = ("alpha", "beta", "real", "generated", "dB re 1 µV²", "simulated data")
    assert [text.count(f">{word}<") for word in words] == [1] * len(words)
    assert [p.name for p in tmp_path.iterdir()] == ["t.svg"]
    assert plt.get_fignums() == []


def test_a_band_has_one_scale_for_all_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = []
    draw = topography._draw_map

    def watch(axis, value, positions, limits):
        drawn.append((value, limits))
        return draw(axis, value, positions, limits)

    monkeypatch.setattr(topography, "_draw_map", watch)
    values = {"alpha": {"real": RISING, "generated": RISING + 20}}
    text = draw_topographies(values, POSITIONS, tmp_path / "t.svg", unit="z").read_text()
    assert [limits for _, limits in drawn] == [(RISING.min(), RISING.max() + 20)] * 2
    np.testing.assert_array_equal(drawn[1][0], RISING + 20)
    assert ">z<" in text and "simulated" not in text


def test_the_nose_is_up_and_the_right_ear_to_the_right(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    value = POSITIONS[:, 1] + 3 * POSITIONS[:, 0]
    image = topography._draw_map(axis, value, POSITIONS, (-1, 1))
    picture = np.asarray(image.get_array())
    assert image.origin == "lower"
    middle = len(picture) // 2
    quarter = middle // 2
    assert picture[middle + quarter, middle] > picture[middle - quarter, middle]
    assert picture[middle, middle + quarter] > picture[middle, middle - quarter]


def test_one_value_everywhere_is_drawn(tmp_path: Path) -> None:
    flat = {"alpha": {"real": np.full(len(POSITIONS), 7.0)}}
    assert draw_topographies(flat, POSITIONS, tmp_path / "t.png").exists()


def test_a_disc_is_drawn_only_where_electrodes_cover_the_head() -> None:
    assert covers_the_head(POSITIONS)
    assert not covers_the_head(cap(lowest=0.06))
    assert not covers_the_head(POSITIONS[POSITIONS[:, 1] > -0.05])


def test_missing_positions_are_refused(tmp_path: Path) -> None:
    places = POSITIONS.copy()
    places[[3, 5]] = np.nan
    with pytest.raises(ValueError, match="2 of 25 are missing, the first that of channel 3"):
        draw_topographies({"alpha": {"real": RISING}}, places, tmp_path / "t.svg")


@pytest.mark.parametrize(
    ("values", "positions", "message"),
    [
        ({}, POSITIONS, "no topographies"),
        ({"alpha": {}}, POSITIONS, "no topographies"),
        ({"alpha": {"real": RISING[:-1]}}, POSITIONS, r"'real' has shape \(24,\), not \(25,\)"),
        ({"alpha": {"real": RISING * np.nan}}, POSITIONS, "not finite"),
        (
            {"alpha": {"real": RISING}, "beta": {"generated": RISING}},
            POSITIONS,
            "'beta' has the sets",
        ),
        ({"alpha": {"real": RISING}}, POSITIONS * 1000, "not metres"),
        ({"alpha": {"real": RISING}}, POSITIONS[:, :2], r"\(25, 2\), not \(C, 3\)"),
        ({"alpha": {"real": RISING[:3]}}, POSITIONS[:3], "needs 4 channels, got 3"),
    ],
)
def test_what_cannot_be_drawn_is_refused(values, positions, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        draw_topographies(values, positions, tmp_path / "t.svg")

"""Traces are stacked on one scale; the bar tells it; shapes that do not fit are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from bm.figures import waves
from bm.figures.waves import draw_waves, round_below

RATE_HZ, CHANNELS = 100.0, ("C3", "Cz", "C4")


@pytest.fixture
def sine() -> np.ndarray:
    """3 channels of 2 s of 10 Hz, 20 µV, each on its own offset."""
    times_s = np.arange(200) / RATE_HZ
    return 20 * np.sin(2 * np.pi * 10 * times_s) + np.array([[0.0], [500.0], [-3000.0]])


def test_both_sides_carry_names_channels_and_one_scale_bar(
    tmp_path: Path, sine: np.ndarray
) -> None:
    sides = {"real": sine, "generated": sine / 2}
    path = draw_waves(sides, RATE_HZ, CHANNELS, tmp_path / "w.svg", simulated=True)
    text = path.read_text()
    words = ("real", "generated", "C3", "Cz", "C4", "20 µV, 0.5 s", "simulated data")
    assert [text.count(f">{word}<") for word in words] == [1] * len(words)
    assert [p.name for p in tmp_path.iterdir()] == ["w.svg"]
    assert plt.get_fignums() == []


def test_the_scale_follows_the_largest_side_and_not_the_offsets(
    tmp_path: Path, sine: np.ndarray
) -> None:
    sides = {"real": sine, "generated": 100 * sine}
    text = draw_waves(sides, RATE_HZ, CHANNELS, tmp_path / "w.svg").read_text()
    assert ">2000 µV, 0.5 s<" in text and "simulated" not in text


def test_sides_of_one_size_look_the_same_and_half_of_it_half_as_high(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sine: np.ndarray
) -> None:
    drawn = []
    monkeypatch.setattr(waves, "_draw_traces", lambda axis, wave, *_: drawn.append(wave))
    draw_waves({"real": sine, "generated": sine / 2}, RATE_HZ, CHANNELS, tmp_path / "w.svg")
    np.testing.assert_allclose(drawn[1], drawn[0] / 2, atol=1e-12)
    assert 0.4 < drawn[0].max() < 0.6  # neighbours just touch


def test_a_side_alone_needs_no_name_and_unknown_samples_leave_a_gap(
    tmp_path: Path, sine: np.ndarray
) -> None:
    sine[1, 50:60], sine[2] = np.nan, np.inf
    path = draw_waves(sine, RATE_HZ, CHANNELS, tmp_path / "w.png", unit="z")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_many_channels_drop_names_rather_than_overlap(tmp_path: Path) -> None:
    names = [f"E{i}" for i in range(1, 201)]
    wave = np.random.default_rng(0).normal(size=(200, 20))
    text = draw_waves(wave, RATE_HZ, names, tmp_path / "w.svg").read_text()
    assert ">E1<" in text and ">E2<" not in text and ">E4<" in text


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros((4, 200)), r"shape \(4, 200\), not \(3 channels, T\)"),
        (np.zeros((1, 3, 200)), r"not \(3 channels, T\)"),
        (np.full((3, 200), np.nan), "hold no finite value"),
        ({}, "no waves"),
        ({"real": np.zeros((3, 9)), "generated": np.zeros((2, 9))}, "waves of 'generated'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wave: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        draw_waves(wave, RATE_HZ, CHANNELS, tmp_path / "w.svg")


def test_flat_waves_have_a_scale(tmp_path: Path) -> None:
    text = draw_waves(np.zeros((3, 200)), RATE_HZ, CHANNELS, tmp_path / "w.svg").read_text()
    assert ">1 µV, 0.5 s<" in text


def test_round_values() -> None:
    values = [0.75, 120.0, 1.0, 4.99, 0.02]
    np.testing.assert_allclose([round_below(v) for v in values], [0.5, 100, 1, 2, 0.02])

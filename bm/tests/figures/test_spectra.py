"""Spectra are means in dB with their spread, on an axis of named bands; misfits are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from bm.figures import spectra
from bm.figures.spectra import curves_in_db, draw_spectra
from bm.metrics.spectra import BANDS

FREQS = np.arange(0.0, 81.0)


def densities(n: int, channels: int = 3, freqs: np.ndarray = FREQS) -> np.ndarray:
    """(n, channels, F) of a 1/f background of random size."""
    rng = np.random.default_rng(n)
    return rng.uniform(0.5, 2.0, (n, channels, 1)) * 100 / (1 + freqs)


def test_sets_bands_and_units_are_named(tmp_path: Path) -> None:
    sets = {"real": densities(8), "generated": densities(5)}
    channels = ("C3", "Cz", "C4")
    text = draw_spectra(FREQS, sets, tmp_path / "s.svg", channels, simulated=True).read_text()
    words = [
        "real (8 samples)",
        "generated (5 samples)",
        "mean of C3, Cz, C4; band: 5-95 % of the samples",
        *BANDS,
    ]
    words += ["frequency (Hz)", "power density (dB re 1 µV²/Hz)", "simulated data"]
    assert [text.count(f">{word}<") for word in words] == [1] * len(words)
    assert all(f">{edge}<" in text for edge in (1, 4, 8, 13, 30, 45))
    assert [p.name for p in tmp_path.iterdir()] == ["s.svg"]
    assert plt.get_fignums() == []


def test_channels_without_names_are_counted(tmp_path: Path) -> None:
    text = draw_spectra(FREQS, {"real": densities(2, 9)}, tmp_path / "s.svg").read_text()
    assert ">mean of 9 channels; " in text and "simulated" not in text


def test_line_is_the_mean_in_db_and_bins_without_power_do_not_count() -> None:
    density = np.array([[[1.0, 100.0, 0.0], [100.0, 0.0, 0.0]]])
    curve = curves_in_db("real", density, 3)
    np.testing.assert_allclose(curve, [[10.0, 20.0, np.nan]])


def test_only_the_range_of_the_bands_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[np.ndarray] = []
    draw = spectra._draw_set

    def watch(axis, freqs, *rest) -> None:
        drawn.append(freqs)
        draw(axis, freqs, *rest)

    monkeypatch.setattr(spectra, "_draw_set", watch)
    draw_spectra(FREQS, {"real": densities(2)}, tmp_path / "s.svg")
    assert (drawn[0][0], drawn[0][-1]) == (1.0, 45.0)


def test_a_low_rate_ends_the_axis_and_leaves_out_bands(tmp_path: Path) -> None:
    freqs = np.arange(0.0, 26.0)
    sets = {"real": densities(4, freqs=freqs)}
    text = draw_spectra(freqs, sets, tmp_path / "s.svg").read_text()
    assert ">beta<" in text and ">gamma<" not in text and ">30<" not in text


def test_one_sample_with_a_silent_channel_is_drawn(tmp_path: Path) -> None:
    density = densities(1)
    density[:, 0] = 0
    density[:, :, 10] = 0
    assert draw_spectra(FREQS, {"real": density}, tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("sets", "channels", "message"),
    [
        ({}, None, "no densities"),
        ({"real": np.ones((3, 81))}, None, r"'real' have shape \(3, 81\)"),
        ({"real": np.ones((2, 3, 80))}, None, "81 bins"),
        ({"real": np.ones((0, 3, 81))}, None, r"shape \(0, 3, 81\)"),
        ({"real": np.ones((2, 3, 81))}, ("C3",), "1 channels"),
        ({"real": densities(2), "generated": np.zeros((2, 3, 81))}, None, "'generated' hold no"),
    ],
)
def test_what_cannot_be_drawn_is_refused(sets, channels, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        draw_spectra(FREQS, sets, tmp_path / "s.svg", channels)


def test_frequencies_outside_the_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1-45 Hz"):
        draw_spectra(np.array([0.0, 50.0]), {"real": np.ones((1, 1, 2))}, tmp_path / "s.svg")

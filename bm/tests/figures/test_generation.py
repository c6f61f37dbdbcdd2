"""All pictures of a generative model at once, from typical samples and whole sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.figures.generation import band_powers_db, draw_generation, thinned, typical_sample
from bm.metrics.spectra import psd

RATE_HZ, CHANNELS = 128.0, ("Fz", "C3", "Cz", "C4", "Pz")
POSITIONS = 0.09 * np.array(
    [[0, 0.8, 0.6], [-0.8, 0, 0.6], [0, 0, 1], [0.8, 0, 0.6], [0, -0.8, 0.6]]
)


def samples(n: int, seed: int, n_channels: int = 5) -> np.ndarray:
    """Brown noise (n, C, 2 s) in microvolts with 10 Hz on top."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(256) / RATE_HZ
    return rng.normal(size=(n, n_channels, 256)).cumsum(-1) + 9 * np.sin(20 * np.pi * times_s)


def test_five_pictures_name_both_sets_and_simulated_data(tmp_path: Path) -> None:
    paths = draw_generation(
        samples(6, 0), samples(4, 1), RATE_HZ, CHANNELS, POSITIONS, tmp_path / "new", True
    )
    assert [p.name for p in paths] == [
        "waves.svg",
        "spectra.svg",
        "spectrogram.svg",
        "covariance.svg",
        "topography.svg",
    ]
    texts = {p.stem: p.read_text() for p in paths}
    for text in texts.values():
        assert "real" in text and "generated" in text and "simulated data" in text
    assert "real (6 samples)" in texts["spectra"] and "generated (4 samples)" in texts["spectra"]
    assert ">Cz, one sample each<" in texts["spectrogram"]
    assert ">alpha<" in texts["topography"]


@pytest.mark.parametrize(("n_channels", "positions"), [(5, None), (2, POSITIONS[:2])])
def test_without_places_or_with_few_channels_there_is_no_topography(
    n_channels: int, positions: np.ndarray | None, tmp_path: Path
) -> None:
    real = samples(2, 0, n_channels)
    names = [f"E{i}" for i in range(n_channels)]
    paths = draw_generation(real, real, RATE_HZ, names, positions, tmp_path)
    assert [p.stem for p in paths] == ["waves", "spectra", "spectrogram", "covariance"]
    assert ">E0, one sample each<" in paths[2].read_text()


def test_the_typical_sample_has_the_median_power() -> None:
    base = samples(1, 0)
    sizes = np.array([5.0, 0.1, 2.0, 1.0])[:, None, None]
    np.testing.assert_allclose(typical_sample(sizes * base), base[0])
    np.testing.assert_allclose(typical_sample(sizes[:3] * base), 2 * base[0])


def test_levels_are_band_powers_in_db_and_end_with_the_rate() -> None:
    times_s = np.arange(640) / 64.0
    wave = np.sqrt(2) * 10 * np.sin(20 * np.pi * times_s)  # power 100 µV² at 10 Hz
    freqs, density = psd(np.stack([wave, 10 * wave])[None], 64.0)
    levels = band_powers_db(freqs, {"real": density, "silent": 0 * density})
    assert list(levels) == ["delta", "theta", "alpha", "beta"]
    np.testing.assert_allclose(levels["alpha"]["real"], [20, 40], atol=1e-6)
    np.testing.assert_allclose(levels["alpha"]["silent"], -120)


def test_more_samples_than_a_picture_needs_are_thinned_evenly() -> None:
    many = np.arange(1000.0).reshape(1000, 1, 1)
    values = thinned(many).ravel()
    assert len(values) == 256 and (values[0], values[-1]) == (0, 999)
    assert set(np.diff(values)) <= {3, 4, 5}
    np.testing.assert_array_equal(thinned(many[:7]), many[:7])


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (samples(2, 0, 4), r"generated samples have shape \(2, 4, 256\), not \(N, 5 channels, 256"),
        (samples(2, 0)[..., :200], "generated samples have shape"),
        (samples(0, 0), r"shape \(0, 5, 256\)"),
        (samples(2, 0) * np.inf, "generated samples hold values that are not finite"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    generated: np.ndarray, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        draw_generation(samples(2, 1), generated, RATE_HZ, CHANNELS, POSITIONS, tmp_path)


def test_positions_missing_in_part_are_refused(tmp_path: Path) -> None:
    places = POSITIONS.copy()
    places[2] = np.nan
    with pytest.raises(ValueError, match="1 of 5 are missing"):
        draw_generation(samples(2, 1), samples(2, 0), RATE_HZ, CHANNELS, places, tmp_path)
    assert not list(tmp_path.iterdir())

"""Spectra and their distances on waves whose power is known, and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from bm.metrics import spectra

RATE = 128.0
FREQS = np.arange(65.0)


def sine(hz: float, amplitude: float, seconds: int = 8) -> np.ndarray:
    """(1, 1, T) in the unit of the amplitude."""
    times = np.arange(int(seconds * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * hz * times)[None, None]


def test_the_power_of_a_sine_is_in_its_band() -> None:
    freqs, density = spectra.psd(sine(10, 4.0), RATE)
    np.testing.assert_array_equal(freqs, FREQS)
    assert density[0, 0].sum() == pytest.approx(4.0**2 / 2)  # bins of 1 Hz
    powers = dict(zip(spectra.BANDS, spectra.band_powers(freqs, density)[0, 0], strict=True))
    assert powers["alpha"] == pytest.approx(8.0)
    assert max(v for k, v in powers.items() if k != "alpha") < 1e-9


def test_a_bin_belongs_to_one_band() -> None:
    """The lower edge is in, the upper out: 8 Hz is alpha, 13 Hz beta."""
    density = np.zeros(65)
    density[[8, 13]] = 1.0, 3.0
    powers = dict(zip(spectra.BANDS, spectra.band_powers(FREQS, density), strict=True))
    assert powers == {"delta": 0.0, "theta": 0.0, "alpha": 1.0, "beta": 3.0, "gamma": 0.0}


def test_windows_below_a_second_have_wider_bins() -> None:
    freqs, density = spectra.psd(sine(16, 1.0)[..., :64], RATE)
    assert freqs[1] == 2.0 and density.shape == (1, 1, 33)
    assert spectra.band_powers(freqs, density)[0, 0].sum() == pytest.approx(0.5, rel=0.01)


def test_distances_look_at_1_to_45_hz_alone() -> None:
    real = 1.0 + np.random.default_rng(0).random((2, 65))
    other = real.copy()
    other[:, [0, 46, 64]] *= 1000
    assert spectra.log_spectral_distance(FREQS, real, other) == 0.0
    assert spectra.spectral_jsd(FREQS, real, other) == 0.0
    other[0, 45] *= 10
    expected = np.sqrt(10**2 / 45) / 2  # one of 45 bins, one of two channels
    assert spectra.log_spectral_distance(FREQS, real, other) == pytest.approx(expected)


def test_divergence_is_that_of_scipy() -> None:
    real, other = np.random.default_rng(1).random((2, 3, 65))
    inside = slice(1, 46)
    expected = [jensenshannon(a[inside], b[inside]) ** 2 for a, b in zip(real, other, strict=True)]
    assert spectra.spectral_jsd(FREQS, real, other) == pytest.approx(np.mean(expected))
    apart = np.zeros((2, 1, 65))
    apart[0, 0, 5] = apart[1, 0, 9] = 1.0
    assert spectra.spectral_jsd(FREQS, *apart) == pytest.approx(np.log(2))


def test_band_power_distances_by_hand() -> None:
    real = np.array([1.0, 10.0])[:, None, None]
    other = np.array([10.0, 100.0])[:, None, None]
    assert spectra.band_power_distances(real, other) == pytest.approx((1.0, 1.0))
    wide = np.array([0.1, 10.9])[:, None, None]  # the same mean, another distribution
    means, distance = spectra.band_power_distances(real, wide)
    assert means == pytest.approx(0.0, abs=1e-12)
    assert distance == pytest.approx((1 + np.log10(1.09)) / 2)


def test_wasserstein_of_shifted_sets() -> None:
    values = np.random.default_rng(2).normal(size=50)
    assert spectra.wasserstein(values, values + 3) == pytest.approx(3.0)
    assert spectra.wasserstein(np.array([0.0]), np.array([0.0, 4.0])) == 2.0


def test_relative_powers_sum_to_one() -> None:
    powers = np.array([[[1.0, 3.0]], [[2.0, 2.0]]])
    np.testing.assert_allclose(spectra.relative_band_powers(powers), [0.375, 0.625])


def test_the_fit_is_a_regression_without_the_alpha_range() -> None:
    density = np.stack([100 * np.maximum(FREQS, 1) ** -1.5, 3 * np.maximum(FREQS, 1) ** -0.5])
    bumped = density.copy()
    bumped[:, (FREQS >= 7) & (FREQS <= 14)] *= 5  # where the alpha peak is, nothing is fitted
    exponent, intercept = spectra.aperiodic_fit(FREQS, bumped)
    np.testing.assert_allclose(exponent, [1.5, 0.5])
    np.testing.assert_allclose(intercept, [2.0, np.log10(3)])
    noisy = density * np.random.default_rng(3).lognormal(0, 0.3, density.shape)
    fitted = (FREQS >= 2) & (FREQS <= 40) & ((FREQS < 7) | (FREQS > 14))
    line = stats.linregress(np.log10(FREQS[fitted]), np.log10(noisy[0, fitted]))
    exponent, intercept = spectra.aperiodic_fit(FREQS, noisy)
    assert (-exponent[0], intercept[0]) == pytest.approx((line.slope, line.intercept))


def test_the_peak_is_the_largest_rise_over_the_fit() -> None:
    density = 100 * np.maximum(FREQS, 1)[None] ** -1.0
    density[0, 11] *= 10
    f, height = spectra.alpha_peak(FREQS, density)
    assert f.tolist() == [11.0] and height == pytest.approx([1.0])

"""Distances between sets of waves, on sets whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from bm.metrics import covariance, generation, neighbours, spectra, temporal
from bm.metrics.units import Units

RATE = 128


def pink(n: int, seed: int, exponent: float = 1.0, gain: float = 1.0) -> np.ndarray:
    """Waves (n, 3, 512) with density f^-exponent, channels 0 and 1 correlated."""
    generator = np.random.default_rng(seed)
    spectrum = np.fft.rfft(generator.standard_normal((n, 3, 512)))
    f = np.fft.rfftfreq(512, 1 / RATE)
    waves = np.fft.irfft(spectrum / np.maximum(f, 0.5) ** (exponent / 2))
    waves[:, 1] += waves[:, 0]
    return gain * waves


def test_the_same_set_has_no_distance() -> None:
    d = generation.describe(pink(20, 0), RATE)
    metrics = generation.moment_metrics(d, d, d)
    for name in ("log_spectral_distance_db", "spectral_jsd_nats", "frechet_distance",
                 "riemann_distance_of_logeuclidean_means", "autocorrelation_rms"):  # fmt: skip
        assert metrics[name] == pytest.approx(0, abs=1e-6), name


def test_a_gain_of_ten_decibel_is_measured() -> None:
    a, b = (generation.describe(pink(40, 0, gain=g), RATE) for g in (1.0, 10**0.5))
    metrics = generation.moment_metrics(a, b, a)
    assert metrics["log_spectral_distance_db"] == pytest.approx(10, abs=1e-6)
    assert metrics["spectral_jsd_nats"] == pytest.approx(0, abs=1e-9)
    assert metrics["log_bandpower_mean_abs_diff"] == pytest.approx(1, abs=1e-6)
    assert metrics["bandpower_wasserstein"] == pytest.approx(1, abs=1e-6)
    # three eigenvalues of 10 each
    expected = 3**0.5 * np.log(10)
    assert metrics["riemann_distance_of_logeuclidean_means"] == pytest.approx(expected, rel=1e-6)


def test_the_exponent_of_the_background_is_found() -> None:
    d = generation.describe(pink(100, 1, exponent=1.5), RATE)
    exponent, _ = spectra.aperiodic_fit(d.freqs, d.density.mean(0))
    np.testing.assert_allclose(exponent, 1.5, atol=0.15)


def test_the_alpha_peak_is_found() -> None:
    waves = pink(50, 2)
    waves += 0.5 * np.sin(2 * np.pi * 10 * np.arange(512) / RATE)
    d = generation.describe(waves, RATE)
    f, height = spectra.alpha_peak(d.freqs, d.density.mean(0))
    assert (f == 10).all() and (height > 0.5).all()


def test_copies_are_seen_at_a_shift_and_noise_is_not() -> None:
    train, test, fresh = (pink(30, seed) for seed in (3, 4, 5))
    shifted = np.roll(train[:10], 7, -1)
    shifted[..., :7] = 0
    d = [generation.describe(x, RATE) for x in (train, test, shifted, fresh)]
    copied = generation.copy_metrics(d[0], d[1], d[2])
    honest = generation.copy_metrics(d[0], d[1], d[3])
    assert copied["copies"] == 1.0 and copied["data_copying_z"] < -3
    assert honest["copies"] == 0.0 and abs(honest["data_copying_z"]) < 3
    assert honest["authenticity"] > copied["authenticity"]


def test_neighbours_of_equal_and_of_distant_sets() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 200, 4))
    near, far = neighbours.manifold_metrics(a, b), neighbours.manifold_metrics(a, b + 20)
    assert near["precision"] > 0.8 and near["recall"] > 0.8 and near["coverage"] > 0.8
    assert far == {"precision": 0.0, "recall": 0.0, "density": 0.0, "coverage": 0.0}
    assert neighbours.diversity_ratio(a, 0.5 * a) == pytest.approx(0.5)
    assert abs(neighbours.mmd_cubic(a, b)) < 0.3 < neighbours.mmd_cubic(a, b + 2)
    assert neighbours.mmd_p_value(a[:40], b[:40], 99, 0) > 0.05
    assert neighbours.mmd_p_value(a[:40], b[:40] + 2, 99, 0) == 0.01


def test_the_surrogate_keeps_spectrum_and_covariance() -> None:
    waves = pink(30, 6)
    other = generation.phase_surrogate(waves, 0)
    np.testing.assert_allclose(np.abs(np.fft.rfft(other)), np.abs(np.fft.rfft(waves)), atol=1e-9)
    np.testing.assert_allclose(
        covariance.covariances(other), covariance.covariances(waves), atol=1e-9
    )
    assert abs(np.corrcoef(other.ravel(), waves.ravel())[0, 1]) < 0.1
    noise = generation.white_noise(waves, 0)
    np.testing.assert_allclose(noise.std((0, 2)), waves.std((0, 2)), rtol=0.05)


def test_intervals_hold_the_value_and_narrow() -> None:
    def width(n: int) -> float:
        a, b = (generation.describe(pink(n, seed, gain=1 + 0.2 * seed), RATE) for seed in (0, 1))
        low, high = generation.intervals(a, b, a, 60, 0)["log_bandpower_mean_abs_diff"]
        value = generation.moment_metrics(a, b, a)["log_bandpower_mean_abs_diff"]
        assert low <= value * 1.15 and value * 0.85 <= high
        return high - low

    assert width(160) < width(20)


def test_moments_of_a_sine() -> None:
    wave = np.sin(2 * np.pi * 8 * np.arange(1280) / RATE)[None, None]
    assert temporal.excess_kurtosis(wave) == pytest.approx(-1.5, abs=1e-6)
    activity, mobility, complexity = temporal.hjorth(wave)
    assert activity == pytest.approx(0.5, abs=1e-3)
    assert mobility == pytest.approx(2 * np.sin(np.pi * 8 / RATE), rel=1e-2)
    assert complexity == pytest.approx(1.0, rel=1e-2)
    acf = temporal.autocorrelation(wave, 16)[0, 0]
    assert acf[15] == pytest.approx(1.0, abs=0.02) and acf[7] == pytest.approx(-1, abs=0.02)


def people_waves(seed: int, people: int, each: int, gain: float) -> np.ndarray:
    """Waves of people whose amplitudes differ."""
    levels = np.exp(np.random.default_rng(seed).normal(0, 0.3, people))
    return pink(people * each, seed, gain=gain) * np.repeat(levels, each)[:, None, None]


def test_intervals_over_people_are_wider_than_over_windows() -> None:
    units = Units("person", np.repeat(np.arange(10), 12))
    real = generation.describe(people_waves(0, 10, 12, 1.0), RATE)
    other = generation.describe(people_waves(1, 10, 12, 2.0), RATE)
    name = "log_bandpower_mean_abs_diff"
    by_people = generation.unit_intervals((real, other, real), 40, 0, units)[name]
    by_window = generation.intervals(real, other, real, 40, 0)[name]
    value = generation.moment_metrics(real, other, real)[name]
    assert by_people[0] < value < by_people[1]
    assert by_people[1] - by_people[0] > 1.5 * (by_window[1] - by_window[0])
    few = Units("person", np.repeat(np.arange(5), 24))
    assert generation.unit_intervals((real, other, real), 40, 0, few) == {}

"""Agreement of speech: correlations, cepstral distance, intelligibility, paired claims."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bm.metrics.intelligibility import intelligibility
from bm.metrics.paired import compare, interval
from bm.metrics.speech import (
    band_correlations,
    cepstral_distance,
    correlations,
    mel_correlation,
    warped,
)

RNG = np.random.default_rng(0)


def speechlike(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Noise with a slow envelope, at 16 kHz."""
    rng = np.random.default_rng(seed)
    n = int(16000 * seconds)
    steps = rng.random(int(seconds * 8) + 2) ** 2
    envelope = np.interp(np.linspace(0, len(steps) - 1, n), range(len(steps)), steps)
    return envelope * rng.standard_normal(n)


def test_correlations_of_equal_opposite_and_constant() -> None:
    x = RNG.standard_normal((2, 5))
    assert np.allclose(correlations(x, 3 * x + 1), 1)
    assert np.allclose(correlations(x, -x), -1)
    assert np.array_equal(correlations(x, np.ones_like(x)), [0, 0])


def test_an_average_spectrum_alone_gives_a_flat_correlation_but_none_by_band() -> None:
    profile = np.linspace(0, 5, 8)
    a, b = (profile + 0.5 * RNG.standard_normal((3, 200, 8)) for _ in range(2))
    assert mel_correlation(a, b).min() > 0.8
    assert np.abs(band_correlations(a, b)).mean() < 0.15


def test_warping_finds_the_cheapest_path() -> None:
    costs = np.array([[[1.0, 9, 9], [1, 9, 9], [9, 2, 3]]])
    total, steps = warped(costs)
    assert (total[0], steps[0]) == (7.0, 4.0)  # down twice, then along the last row: 1 + 1 + 2 + 3


def test_cepstral_distance_forgives_time_and_loudness() -> None:
    mel = RNG.standard_normal((1, 40, 16)).cumsum(1)
    slow = np.repeat(mel, 2, axis=1)
    assert cepstral_distance(mel, mel)[0] == pytest.approx(0, abs=1e-5)
    assert cepstral_distance(slow, mel)[0] == pytest.approx(0, abs=1e-5)
    assert cepstral_distance(mel + 3.0, mel)[0] == pytest.approx(0, abs=1e-5)
    assert cepstral_distance(RNG.standard_normal((1, 40, 16)), mel)[0] > 5


@pytest.mark.parametrize("extended", [False, True])
def test_intelligibility_falls_with_noise(extended) -> None:
    clean = speechlike()
    noise = np.random.default_rng(1).standard_normal(len(clean))
    values = [intelligibility(clean, clean + s * noise, 16000, extended) for s in (0, 0.2, 2.0)]
    assert values[0] == pytest.approx(1, abs=1e-3)
    assert values[0] > values[1] > values[2]
    other = intelligibility(clean, speechlike(seed=5), 16000, extended)
    assert other < values[1]


def test_too_little_speech_has_no_intelligibility() -> None:
    assert math.isnan(intelligibility(np.zeros(16000), np.ones(16000), 16000))
    assert math.isnan(intelligibility(speechlike(0.1), speechlike(0.1), 16000))


def test_a_claim_needs_six_units_and_a_difference() -> None:
    names = np.repeat(np.arange(8), 3)
    better = RNG.random(24) + 1
    few = compare("person", names[:12], better[:12], np.zeros(12))
    assert math.isnan(few.p) and not few.above
    assert compare("person", names, better, np.zeros(24)).above
    assert not compare("person", names, np.zeros(24), np.zeros(24)).above
    # units count, not items: one good person among eight proves nothing
    one = np.where(names == 0, 5.0, -0.1)
    assert not compare("person", names, one, np.zeros(24)).above


def test_an_interval_holds_the_mean_of_units() -> None:
    names, values = np.repeat(np.arange(10), 5), RNG.normal(3, 1, 50)
    low, high = interval(names, values, 200, 0)
    assert low < values.mean() < high < low + 2

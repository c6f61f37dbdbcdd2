"""Tests over units: exact where they can be, errors of the first kind, corrections."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bm.eval.tables.statistics import effect_size, paired_test, sign_flip
from bm.metrics.units import Units


def test_sign_flips_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    for count in (6, 9, 12):
        values = generator.standard_normal(count) + 0.4
        expected = stats.permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=np.inf
        )
        assert sign_flip(values) == pytest.approx(expected.pvalue)
    many = generator.standard_normal(40) + 0.3
    normal = stats.ttest_1samp(many, 0).pvalue
    assert sign_flip(many) == pytest.approx(normal, abs=0.02)
    assert sign_flip([1.0] * 5) is None and sign_flip([1.0] * 6) == 2 / 2**6
    assert sign_flip([0.0] * 8) == 1.0


def differences(generator: np.random.Generator, shape: tuple[int, int], stimulus: float):
    """Differences of scores without a mean: people differ, and stimuli for all people alike."""
    level = (
        generator.normal(0, 0.5, (shape[0], 1)) + generator.normal(0, 1, (1, shape[1])) * stimulus
    )
    first, second = generator.normal(0, 1, (2, *shape))
    return (first + level > 0).astype(float) - (second - level > 0)


def error_rate(shape: tuple[int, int], stimulus: float, draws: int) -> float:
    """Share of p of .05 or less where there is no difference."""
    generator, hits = np.random.default_rng(list(shape)), 0
    people, stimuli = np.indices(shape).reshape(2, -1)
    units = Units("person", people, stimuli if stimulus else None)
    weights = np.full(people.size, 1 / people.size)
    for _ in range(draws):
        p = paired_test(differences(generator, shape, stimulus).ravel(), weights, units)
        assert p is not None
        hits += p <= 0.05
    return hits / draws


@pytest.mark.parametrize("stimulus", [0.0, 0.7])
def test_errors_of_the_first_kind_are_rare(stimulus: float) -> None:
    """Three sd of the share of 250 draws are .041."""
    assert error_rate((8, 20), stimulus, 250) <= 0.06 + 0.041


@pytest.mark.endurance
@pytest.mark.parametrize("stimulus", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("shape", [(8, 20), (12, 60), (27, 60)])
def test_errors_of_the_first_kind_are_at_most_6_percent(shape, stimulus: float) -> None:
    assert error_rate(shape, stimulus, 2000) <= 0.06


def test_a_difference_of_all_people_is_seen() -> None:
    people, stimuli = np.indices((10, 40)).reshape(2, -1)
    generator = np.random.default_rng(3)
    better = (generator.random(400) < 0.8).astype(float) - (generator.random(400) < 0.5)
    weights = np.full(400, 1 / 400)
    for units in (Units("person", people), Units("person", people, stimuli)):
        p = paired_test(better, weights, units)
        assert p is not None and p < 0.01
    assert paired_test(better[:200], weights[:200], Units("person", people[:200])) is None


def test_effect_size_by_hand() -> None:
    # mean 1, sd 1, five degrees of freedom: 1 - 3 / (4 * 5 - 1) is the usual approximation
    values = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0])
    assert effect_size(values) == pytest.approx(1 / values.std(ddof=1) * (1 - 3 / 19), rel=0.01)
    assert effect_size([1.0, 1.0, 1.0]) is None and effect_size([1.0]) is None

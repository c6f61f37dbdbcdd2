"""Intervals and tests count units of evidence: coverage and errors of the first kind, simulated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bm.metrics.class_intervals import class_intervals
from bm.metrics.classification import classification_metrics
from bm.metrics.intervals import seed_interval, share_interval
from bm.metrics.units import Units, units_of

PEOPLE = (8, 30)
#: Mean accuracy, and its sd over people.
ACCURACIES = ((0.5, 0.1), (0.7, 0.12), (0.9, 0.07))


def coverage(people: int, windows: int, mean: float, sd: float, draws: int, unequal: bool) -> float:
    """Share of intervals that hold the mean accuracy of people drawn from a beta distribution."""
    generator = np.random.default_rng([people, windows, int(1000 * mean), unequal])
    total, hits = mean * (1 - mean) / sd**2 - 1, 0
    for _ in range(draws):
        accuracies = generator.beta(mean * total, (1 - mean) * total, people)
        counts = np.full(people, windows)
        if unequal:
            counts = np.maximum(1, generator.poisson(generator.gamma(2, windows / 2, people)))
        codes = np.repeat(np.arange(people), counts)
        right = (generator.random(len(codes)) < accuracies[codes]).astype(float)
        ends = share_interval(right, Units("person", codes))
        assert ends is not None and 0 <= ends[0] <= right.mean() <= ends[1] <= 1
        hits += ends[0] <= mean <= ends[1]
    return hits / draws


@pytest.mark.parametrize("windows", [6, 58])
def test_intervals_over_people_cover_the_mean(windows: int) -> None:
    """Binomial sd of a share of 400 draws: .011; the whole table is in the thorough test."""
    assert 0.92 <= coverage(8, windows, 0.7, 0.12, 400, False) <= 0.985


@pytest.mark.endurance
@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("windows", [6, 58])
@pytest.mark.parametrize("people", PEOPLE)
def test_coverage_is_between_93_and_97_percent(people: int, windows: int, unequal: bool) -> None:
    rates = [coverage(people, windows, *pair, 4000, unequal) for pair in ACCURACIES]
    # 8 people with 6 windows each on average: .9755, as few windows have few shares
    few = people == PEOPLE[0] and windows == 6
    assert all(0.93 <= rate <= (0.98 if few else 0.97) for rate in rates), rates


def crossed_scores(generator: np.random.Generator, people: int, stimuli: int) -> np.ndarray:
    """Right or wrong of (people, stimuli): some stimuli are easy for all, some people are good."""
    level = generator.normal(0, 0.7, (people, 1)) + generator.normal(0, 0.7, (1, stimuli))
    return (generator.random((people, stimuli)) < special.expit(level)).astype(float)


@pytest.mark.parametrize("shape", [(8, 20), (27, 60)])
def test_shared_stimuli_are_units_too(shape: tuple[int, int]) -> None:
    codes = Units("person", np.repeat(np.arange(shape[0]), shape[1]),
                  np.tile(np.arange(shape[1]), shape[0]))  # fmt: skip
    generator, hits, alone = np.random.default_rng(0), 0, 0
    for _ in range(300):
        right = crossed_scores(generator, *shape).ravel()
        ends = share_interval(right, codes)
        assert ends is not None
        hits += ends[0] <= 0.5 <= ends[1]
        people = share_interval(right, Units("person", codes.codes))
        assert people is not None
        alone += people[0] <= 0.5 <= people[1]
    assert 0.92 <= hits / 300 <= 0.985 and alone < hits


def test_a_metric_without_items_is_left_out_unit_by_unit() -> None:
    generator = np.random.default_rng(1)
    labels, codes = generator.integers(0, 2, 300), np.repeat(np.arange(10), 30)
    scores = special.expit(labels - 0.5 + generator.normal(0, 1, 300))
    probs = np.stack([1 - scores, scores], 1)
    intervals = class_intervals(labels, probs, Units("person", codes))
    metrics = classification_metrics(probs, labels)
    assert set(intervals) == set(metrics)
    assert all(low < metrics[name] < high for name, (low, high) in intervals.items())
    assert class_intervals(labels, probs, Units("person", codes // 2)) == {}  # five people
    first = codes == 0  # without person 0 there is no class 1
    assert "auroc" not in class_intervals(first.astype(int), probs, Units("person", codes))


def test_all_right_proves_no_perfection() -> None:
    ends = share_interval(np.ones(60), Units("person", np.arange(60) // 6))
    assert ends is not None and 0.8 < ends[0] < 0.97 and ends[1] == 1


def test_seeds_are_units_of_training() -> None:
    values = [0.5, 0.6, 0.55, 0.58, 0.52, 0.61]
    expected = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
    assert seed_interval(values) == pytest.approx(expected)
    assert seed_interval(values[:5]) is None


def test_unit_of_items() -> None:
    frame = pd.DataFrame({"study": "s", "subject": list("aabb"), "session": "0",
                          "run": list("0101"), "segment_hash": [1, 2, 3, 4]})  # fmt: skip
    assert str(units_of(frame)) == "2 people" and units_of(frame).few
    assert str(units_of(frame[:2])) == "2 recordings"
    assert str(units_of(frame[:2].assign(run="0"))) == "2 stimuli"
    assert str(units_of(frame[:1])) == "1 person"
    shared = units_of(frame.assign(segment_hash=[1, 2, 1, 2]))
    assert str(shared) == "2 people x 2 stimuli" and shared.count == 2

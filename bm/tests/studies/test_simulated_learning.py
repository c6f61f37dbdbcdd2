"""What plain decoders learn from the simulated recordings: between chance and the observer.

The expected values and tolerances are those of the simulation's own table of acceptance values
(two seeds, linear discriminants with automatic shrinkage).
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from bm.studies import STUDIES

from . import decoders

SEEDS = (0, 1)


@functools.lru_cache(maxsize=16)
def motor(snr: float, seeds: tuple[int, ...] = SEEDS, n_subjects: int = 2) -> dict[str, float]:
    """Mean accuracy over seeds and subjects of preset debug, session 0 trains, 1 tests."""
    scores_by_name: dict[str, list[float]] = {
        k: [] for k in ("lda", "csp", "pooled", "permuted", "read")
    }
    for seed in seeds:
        study = STUDIES.get("simulated")(
            mode="motor", preset="debug", seed=seed, snr=snr, n_subjects=n_subjects
        )
        rng, parts = np.random.default_rng(seed), []
        for subject in range(n_subjects):
            recordings = [r for r in study.recordings() if r.place.subject == subject]
            trials = decoders.motor_trials(recordings)
            x, y, train = decoders.band_power(trials.windows), trials.labels, trials.train
            scores_by_name["lda"].append(decoders.score(x, y, train))
            filtered = decoders.csp_features(trials.windows, y, train)
            scores_by_name["csp"].append(decoders.score(filtered, y, train))
            scores_by_name["permuted"] += [
                decoders.score(x, rng.permutation(y), train) for _ in range(5)
            ]
            scores = study.classify(recordings[-1], trials.windows[~train])
            scores_by_name["read"].append(float((scores.argmax(1) == y[~train]).mean()))
            parts.append((x, y, train))
        scores_by_name["pooled"].append(
            decoders.score(*(np.concatenate(p) for p in zip(*parts, strict=True)))
        )
    return {name: float(np.mean(values)) for name, values in scores_by_name.items()}


def observer(snr: float) -> float:
    """Mean accuracy of the ideal observer over the seeds."""
    studies = [STUDIES.get("simulated")(mode="motor", preset="debug", seed=s) for s in SEEDS]
    return float(np.mean([study.observer(snr, 800)[0] for study in studies]))


def test_one_motor_subject_lies_between_chance_and_the_observer() -> None:
    scores = motor(0.3, (0,), 1)
    assert 0.32 < scores["lda"] < scores["csp"] < scores["read"] < 1.0
    assert scores["permuted"] == pytest.approx(0.25, abs=0.10)


def test_one_motor_subject_without_signal_is_chance() -> None:
    """Of 120 test trials chance is .25 +- .04."""
    scores = motor(0.0, (0,), 1)
    assert all(scores[name] == pytest.approx(0.25, abs=0.12) for name in ("lda", "csp", "read"))


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("decoder", "expected", "tolerance"),
    [("lda", 0.60, 0.12), ("csp", 0.84, 0.10), ("pooled", 0.64, 0.12), ("permuted", 0.25, 0.05)],
)
def test_motor_at_snr_1(decoder: str, expected: float, tolerance: float) -> None:
    assert motor(1.0)[decoder] == pytest.approx(expected, abs=tolerance)


@pytest.mark.endurance
def test_motor_observer_on_windows_beats_the_decoders_and_stays_below_the_bound() -> None:
    scores = motor(1.0)
    assert scores["csp"] < scores["read"] <= observer(1.0) == pytest.approx(0.961, abs=0.04)
    assert scores["read"] == pytest.approx(0.92, abs=0.05)


@pytest.mark.endurance
def test_motor_without_signal_is_chance() -> None:
    scores = motor(0.0)
    assert all(scores[name] == pytest.approx(0.25, abs=0.06) for name in ("lda", "csp", "pooled"))


@pytest.mark.endurance
def test_motor_rises_with_snr_below_the_observer() -> None:
    curves = [motor(snr) for snr in (0.0, 0.1, 0.3, 1.0, 3.0)]
    for name in ("lda", "csp"):
        curve = [f[name] for f in curves]
        assert all(later > earlier - 0.03 for earlier, later in itertools.pairwise(curve))
        assert curve[-1] > curve[0] + 0.5
    for snr, values in zip((0.1, 0.3, 3.0), (curves[1], curves[2], curves[4]), strict=True):
        assert max(values["lda"], values["csp"]) < observer(snr)


@functools.lru_cache(maxsize=4)
def background(
    severity: float, seeds: tuple[int, ...], duration_s: float = 60.0, n_runs: int = 2
) -> dict[str, float]:
    """Mean scores over seeds of preset demo, the first 24 pairs train and the last 12 test."""
    runs, permuted = [], []
    for seed in seeds:
        study = STUDIES.get("simulated")(
            mode="background", preset="demo", seed=seed, severity=severity, duration_s=duration_s,
            n_runs=n_runs,
        )  # fmt: skip
        windows = decoders.background_windows(study.recordings())
        runs.append(decoders.background_scores(windows, windows.labels, 24))
        rng = np.random.default_rng(seed)
        for _ in range(10):  # a coin for each subject
            labels = rng.integers(2, size=72)[windows.recording // n_runs]
            permuted.append(decoders.background_scores(windows, labels, 24)["recording"])
    means = {name: float(np.mean([f[name] for f in runs])) for name in runs[0]}
    return {**means, "permuted": float(np.mean(permuted))}


@pytest.mark.endurance
def test_background_at_severity_1() -> None:
    scores = background(1.0, SEEDS)
    assert scores["window"] == pytest.approx(0.77, abs=0.10)
    assert scores["recording"] == pytest.approx(0.78, abs=0.12)
    assert scores["auc"] == pytest.approx(0.87, abs=0.10)
    assert scores["recording"] < 0.957  # the bound on the latent
    assert scores["permuted"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.endurance
def test_background_follows_severity() -> None:
    assert background(0.0, SEEDS)["recording"] == pytest.approx(0.52, abs=0.10)
    assert background(1.5, SEEDS)["recording"] == pytest.approx(0.83, abs=0.10)


def test_background_is_learned_from_short_recordings() -> None:
    scores = background(2.0, (0,), 20.0, 1)
    assert 0.7 < scores["recording"] <= 1.0 and 0.3 < scores["permuted"] < 0.7

"""The simulated study: same keys, same bits; only the label's part carries the label."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from bm.errors import UserError
from bm.readers.montage import standard_montage
from bm.studies import STUDIES, build_study
from bm.studies.simulated import electrode_positions as positions
from bm.studies.simulated.background.observer import observe
from bm.studies.simulated.background.recording import pair_label
from bm.studies.simulated.motor.recording import CLASSES

from . import repeatable

PATHS = {"studies": ".", "cache": "."}


def study(**options):
    return STUDIES.get("simulated")(**options)


@pytest.mark.parametrize("mode", ["motor", "background"])
def test_same_keys_same_bits_in_any_order(mode: str) -> None:
    repeatable.check_order(mode)


def test_a_larger_study_begins_with_the_smaller() -> None:
    small, large = (repeatable.study("background", **o) for o in ({}, {"n_subjects": 8}))
    for a, b in zip(small.recordings(), large.recordings(), strict=False):
        assert a.id == b.id  # also in the same order
    repeatable.check_growth("background", {}, {"n_subjects": 8})


def test_snr_scales_the_labels_part_by_its_root_and_nothing_else() -> None:
    repeatable.check_response(lambda snr: study(preset="tiny", snr=snr).recordings()[0].signal_uv())


def test_artefacts_can_be_switched_off_without_moving_the_rest() -> None:
    dirty, clean = (study(preset="tiny", artefacts=a).recordings()[0] for a in (True, False))
    events = dirty.events()
    marks = events[events["kind"] == "special"]
    assert len(marks) and not (clean.events()["kind"] == "special").any()
    changed = (dirty.signal_uv() != clean.signal_uv()).any(0)
    inside = np.zeros_like(changed)
    for row in marks.itertuples():
        inside[round(row.start_s * 250) : round((row.start_s + row.duration_s) * 250) + 1] = True
    assert not changed[~inside].any()


def test_bad_channels_are_where_the_truth_says() -> None:
    recording = study(preset="tiny", flat_channels=2, noisy_channels=1).recordings()[0]
    bads, signal = recording.truth()["bads"], recording.signal_uv()
    assert np.flatnonzero(signal.std(1) == 0).tolist() == bads["flat"] and len(bads["flat"]) == 2
    assert int(signal.std(1).argmax()) in bads["noisy"]


def test_raw_is_in_volts_with_the_montage_and_says_simulated() -> None:
    recording = study(preset="tiny").recordings()[0]
    raw = recording.load_raw()
    np.testing.assert_allclose(raw.get_data() * 1e6, recording.signal_uv(), rtol=1e-5, atol=1e-4)
    assert raw.info["description"] == "simulated" and raw.get_montage() is not None
    assert recording.events()["simulated"].all()


def test_positions_equal_those_of_mne() -> None:
    places = standard_montage("standard_1005").get_positions()["ch_pos"]
    points = np.array(list(places.values())) * 1e3
    system = np.c_[2 * points, np.ones(len(points))]
    centre = np.linalg.lstsq(system, np.square(points).sum(1), rcond=None)[0][:3]
    for name, vector in positions.table()["unit"].items():
        expected = places[name] * 1e3 - centre
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-4)
    np.testing.assert_array_equal(positions.unit(["T3", "FP1"]), positions.unit(["T7", "Fp1"]))


def test_trials_are_balanced_and_inside() -> None:
    recording = study(preset="tiny").recordings()[0]
    events = recording.events()
    trials = events[events["kind"] == "trial"]
    assert trials["label"].value_counts().tolist() == [4, 4, 4, 4]
    assert [CLASSES[int(label)] for label in trials["label"]] == trials["class"].tolist()
    duration = recording.signal_uv().shape[1] / 250
    assert (trials["start_s"] + 6.6 < duration).all() and (trials["start_s"].diff()[1:] > 7).all()


def test_labels_of_the_background_hide_in_nothing_but_the_signal() -> None:
    recordings = study(mode="background", preset="debug").recordings()
    labels = np.array([r.options["label"] for r in recordings])
    groups = np.array([r.id.group for r in recordings])
    for group in np.unique(groups):  # one of each in a pair, with one cap and rate
        pair = groups == group
        assert sorted(labels[pair]) == [0, 1]
        assert len({recordings[i].channels for i in np.flatnonzero(pair)}) == 1
    first = [pair_label(0, 2 * j) for j in range(200)]
    assert 70 < sum(first) < 130
    assert not any("abnormal" in r.id.name for r in recordings)


def test_signal_statistics() -> None:
    motor = study(preset="debug").recordings()[:4]
    signals = [r.signal_uv() for r in motor]
    assert np.median([np.median(s.std(1)) for s in signals]) == pytest.approx(12, rel=0.25)
    assert np.mean([(np.abs(s) < 150).mean() for s in signals]) > 0.999
    exponents, alphas, lines = [], [], []
    for signal in signals:
        f, p = welch(signal, 250, nperseg=500)
        fit = ((f >= 2) & (f < 7)) | ((f > 14) & (f <= 40))
        exponents.append(-np.polyfit(np.log(f[fit]), np.log(p[:, fit].mean(0)), 1)[0])
        poz = p[motor[0].channels.index("POz")]
        floor = np.exp(np.interp(10, [7, 14], np.log([poz[f == 7][0], poz[f == 14][0]])))
        alphas.append(poz[(f > 8) & (f < 12.5)].max() / floor)
        lines.append(p[:, f == 50].mean() / p[:, (f > 44) & (f < 48)].mean())
    assert np.mean(exponents) == pytest.approx(1.3, abs=0.3)
    assert 5 < np.mean(alphas) < 20 and np.mean(lines) > 3
    background = study(mode="background", preset="tiny").recordings()
    rms = [np.median(r.signal_uv().std(1)) for r in background]
    assert np.median(rms) == pytest.approx(17, rel=0.25)


def test_observer_of_motor_rises_with_snr_and_is_chance_at_none() -> None:
    motor = study(preset="debug", n_subjects=1)
    accuracies = [motor.observer(snr, 200)[0] for snr in (0, 0.1, 1)]
    assert accuracies[0] == pytest.approx(0.25, abs=1e-9)  # all classes tie: no luck of the draw
    assert accuracies == sorted(accuracies) and accuracies[1] < 0.75 and accuracies[2] > 0.9


@pytest.mark.parametrize(
    ("severity", "expected"), [(0, 0.5), (0.5, 0.863), (1, 0.992), (1.5, 1.0), (2, 1.0)]
)
def test_area_under_the_curve_of_the_bound_of_background(severity: float, expected: float) -> None:
    metrics = observe(severity, 200_000, np.random.default_rng(0))
    assert metrics["auc"] == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(
    ("severity", "accuracy"), [(0, 0.5), (0.5, 0.782), (1, 0.957), (1.5, 0.996), (2, 1.0)]
)
def test_bound_of_background(severity: float, accuracy: float) -> None:
    value, (low, high) = study(mode="background", preset="tiny").observer(severity)
    assert value == pytest.approx(accuracy, abs=0.004) and low <= value <= high


def test_observer_reads_real_windows() -> None:
    motor = study(preset="tiny", n_trials=40, n_subjects=1)
    right = []
    for recording in motor.recordings():
        events, signal = recording.events(), recording.signal_uv()
        trials = events[events["kind"] == "trial"]
        starts = (trials["start_s"] * 250).round().astype(int) + 750
        windows = np.stack([signal[:, s : s + 750] for s in starts])
        right.append(motor.classify(recording, windows).argmax(1) == trials["label"])
    assert np.mean(right) > 0.85


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "motr"}, "did you mean 'motor'"),
        ({"preset": "demmo"}, "did you mean 'demo'"),
        ({"n_trails": 3}, "did you mean 'n_trials'"),
        ({"snr": -1.0}, "negative"),
        ({"snr": float("nan")}, "snr=nan"),
        ({"artifacts": False}, "did you mean 'artefacts'"),
        ({"seed": -1}, "whole number from 0"),
        ({"n_subjects": -1}, "whole number from 1"),
        ({"n_subjects": "two"}, "n_subjects='two'"),
        ({"n_trials": 0}, "n_trials=0"),
        ({"flat_channels": 20, "noisy_channels": 3}, "of 22 channels"),
        ({"mode": "background", "duration_s": -3.0}, "above 0"),
        ({"mode": "background", "severity": -1.0}, "severity=-1"),
        ({"mode": "listening", "n_words": 3}, "from 10"),
        ({"channels": ["C3", "Czz"]}, "unknown electrode 'Czz'"),
    ],
)
def test_mistakes_name_the_nearest(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        simulation = build_study({"study": "simulated", "preset": "tiny", **options}, PATHS)
        simulation.recordings()[0].signal_uv()


def test_speed_of_tiny() -> None:
    """The speed is printed, not judged: `scripts.bench` holds the bar; tiny shall stay tiny."""
    sizes = [r.signal_uv().size for m in ("motor", "background", "listening", "reading", "seeg")
             for r in study(mode=m, preset="tiny").recordings()]  # fmt: skip
    assert sum(sizes) < 1.5e7

"""The sEEG mode: contacts, words, response, observers, and what linear discriminants recover."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.signal import welch

from bm.errors import UserError
from bm.studies import STUDIES
from bm.studies.simulated.observers import log_likelihoods
from bm.studies.simulated.random_streams import Place
from bm.studies.simulated.seeg import observer as seeg_observer
from bm.studies.simulated.seeg.gestures import WORD_S, gesture_courses, lexicon
from bm.studies.simulated.seeg.recording import draw_speaker

from . import repeatable, speakers


def study(preset: str = "tiny", **options):
    return STUDIES.get("simulated")(mode="seeg", preset=preset, **options)


def test_same_bits_in_any_order_and_process() -> None:
    repeatable.check_order("seeg")
    repeatable.check_process("seeg")


def test_more_subjects_runs_and_free_recordings_begin_with_the_fewer() -> None:
    more = {"n_runs": 2, "n_subjects": 3, "n_free": 2}
    repeatable.check_growth("seeg", {"n_trials": 1}, {"n_trials": 1, **more})


@pytest.mark.parametrize("place", [0, 1])  # a run of the task, and a recording without
def test_snr_scales_the_response_by_its_root_and_nothing_else(place: int) -> None:
    def of_snr(snr: float) -> np.ndarray:
        return study(snr=snr, n_trials=2).recordings()[place].signal_uv()

    repeatable.check_response(of_snr, least_uv=10, atol=5e-3)


def test_any_two_words_differ_in_two_gestures() -> None:
    words = lexicon(0, 12)
    assert len(words) == 200 and (words[:, 1:] != words[:, :-1]).all()
    differences = (words[:, None] != words[None]).sum(2)
    assert differences[~np.eye(200, dtype=bool)].min() >= 2
    assert np.array_equal(words, lexicon(0, 250)[:200])
    courses = gesture_courses(np.arange(round(1000 * WORD_S)) / 1000)
    assert courses.max(1) == pytest.approx(1.0, abs=1e-3)
    assert np.diff(courses.argmax(1)).tolist() == [180, 180, 180]


def test_contacts_of_forty_subjects() -> None:
    implants = [draw_speaker(Place(7, "seeg", s), (3, 5), (6, 9)).implant for s in range(40)]
    told = [int((i.weights > 0).sum()) for i in implants]
    assert min(told) >= 4 and np.mean(told) == pytest.approx(6, abs=1)
    for implant in implants:
        assert len(set(implant.names)) == len(implant.names) == len(implant.metres)
        right = np.array(["'" in name for name in implant.names])
        shafts = np.unique(implant.shaft)
        assert 3 <= len(shafts) <= 5
        for shaft in shafts:
            mask = implant.shaft == shaft
            steps = np.linalg.norm(np.diff(implant.metres[mask], axis=0), axis=1)
            np.testing.assert_allclose(steps, 3.5e-3)
            outward = np.abs(implant.metres[mask][-1, 0]) > np.abs(implant.metres[mask][0, 0])
            assert outward and len(set(right[mask])) == 1  # 1 is the deepest
            assert right[mask][0] == (implant.metres[mask][-1, 0] > 0)
        assert np.linalg.eigvalsh(implant.covariance)[0] >= 0.0099


def test_trials_are_balanced_and_show_no_onset() -> None:
    recording = study(n_runs=2).recordings()[1]
    events = recording.events()
    trials = events[events["kind"] == "trial"]
    assert trials["label"].value_counts().to_dict() == dict.fromkeys(range(4), 6)
    assert trials["class"].tolist() == [f"word-{int(w):02d}" for w in trials["label"]]
    assert set(events) == {"kind", "start_s", "duration_s", "label", "class", "word", "go_s",
                           "simulated"}  # fmt: skip
    assert (trials["go_s"] == 0.5).all() and (trials["start_s"].diff()[1:] == 3.0).all()
    truth, starts = recording.truth(), trials["start_s"].to_numpy()
    delay = truth["onsets_s"] - starts - 0.5
    assert truth["words"].tolist() == trials["label"].tolist()
    assert (delay >= 0.249).all() and (delay <= 0.701).all() and delay.std() > 0.02
    assert (starts + 3 <= recording.signal_uv().shape[1] / 1000).all()
    runs = [r for r in study(n_runs=2).recordings() if not r.free]
    assert len({tuple(item.word for item in r.spoken) for r in runs}) == 4


def test_free_recordings_say_nothing_but_speak_the_whole_lexicon() -> None:
    simulation = study(n_free=2, free_s=60.0, n_subjects=1)
    assert [r.id.session for r in simulation.recordings()] == ["0", "free", "free"]
    assert [r.id.session for r in study(part="task").recordings()] == ["0", "0"]
    free = study(n_free=2, free_s=60.0, n_subjects=1, part="free").recordings()
    assert [r.id.session for r in free] == ["free", "free"]
    assert free[0].events()["kind"].tolist() == ["block"]
    words = np.concatenate([r.truth()["words"] for r in free])
    assert len(words) > 30 and len(set(words)) > 20 and words.max() < 200
    gaps = np.diff(free[0].truth()["onsets_s"]) - WORD_S
    assert (gaps > 0.99).all() and (gaps < 3.01).all()
    with pytest.raises(UserError, match="no trials to observe"):
        study(part="free").observer(1.0, 10)


def test_bipolar_is_differences_and_sums_of_neighbours() -> None:
    mono, pair = (study(bipolar=b, n_trials=2, n_subjects=1).recordings()[0] for b in (False, True))
    contacts, both = mono.signal_uv(), pair.signal_uv()
    for k, name in enumerate(pair.channels):
        sign = -1 if "-" in name else 1
        first, second = name.split("-" if sign < 0 else "+")
        a, b = mono.channels.index(first), mono.channels.index(second)
        np.testing.assert_allclose(both[k], contacts[a] + sign * contacts[b], atol=1e-3)
        middle = (mono.metres()[a] + mono.metres()[b]) / 2
        np.testing.assert_allclose(pair.metres()[k], middle)
    windows = [seeg_observer.spoken_windows(r) for r in (mono, pair)]
    scores = [log_likelihoods(r, w) for r, w in zip((mono, pair), windows, strict=True)]
    assert (scores[0].argmax(1) == scores[1].argmax(1)).all()


def test_raw_holds_positions_and_volts() -> None:
    recording = study(n_trials=1).recordings()[0]
    raw = recording.load_raw()
    assert set(raw.get_channel_types()) == {"seeg"} and raw.info["description"] == "simulated"
    np.testing.assert_allclose(raw.get_data() * 1e6, recording.signal_uv(), rtol=1e-5, atol=1e-3)
    places = np.array([c["loc"][:3] for c in raw.info["chs"]])
    np.testing.assert_allclose(places, recording.metres())


def test_bad_contacts_are_where_the_truth_says() -> None:
    recording = study(n_trials=1, flat_channels=2, noisy_channels=1).recordings()[0]
    bads, signal = recording.truth()["bads"], recording.signal_uv()
    assert np.flatnonzero(signal.std(1) == 0).tolist() == bads["flat"] and len(bads["flat"]) == 2
    clean = study(n_trials=1).recordings()[0].signal_uv()
    changed = np.flatnonzero((signal != clean).any(1)).tolist()
    assert changed == sorted(bads["flat"] + bads["noisy"])


def test_signal_statistics() -> None:
    simulation = study("debug", n_trials=1, n_runs=1, n_subjects=4, part="task")
    rms, inside, exponents, lines, shoulders = [], [], [], [], []
    for recording, other in zip(simulation.recordings(), simulation.at(0.0), strict=True):
        signal = recording.signal_uv()
        rms.append(np.median(signal.std(1)))
        inside.append((np.abs(signal) < 400).mean())
        f, p = welch(signal, 1000, nperseg=2000)
        fit = ((f >= 2) & (f < 7)) | ((f > 14) & (f <= 40))
        exponents.append(-np.polyfit(np.log(f[fit]), np.log(p[:, fit].mean(0)), 1)[0])
        near = {h: p[:, (f > h - 6) & (f < h - 2)].mean() for h in (50, 100, 150)}
        lines.append([p[:, f == h].mean() / near[h] for h in near])
        quiet, high = welch(other.signal_uv(), 1000, nperseg=2000)[1], (f > 70) & (f < 95)
        shoulders.append(np.median(p[:, high].mean(1) / quiet[:, high].mean(1)))
    assert np.median(rms) == pytest.approx(61, rel=0.25) and np.mean(inside) > 0.999
    assert np.mean(exponents) == pytest.approx(2.2, abs=0.3)
    assert (np.mean(lines, 0) > (4, 1.5, 1.5)).all()
    assert np.mean(shoulders) > 1.5  # high gamma between the harmonics


def test_observer_rises_with_snr_and_is_chance_at_none() -> None:
    simulation = study("debug", n_trials=3, n_runs=1, n_subjects=1)
    accuracies = [simulation.observer(snr, 36)[0] for snr in (0, 0.1, 1)]
    assert accuracies[0] == pytest.approx(1 / 12) and accuracies == sorted(accuracies)
    assert accuracies[1] > 0.4 and accuracies[2] > 0.95


@functools.lru_cache(maxsize=8)
def heard(snr: float, seeds: int, subjects: int) -> seeg_observer.WordAccuracy:
    """Accuracy with known filters, mean over seeds of preset debug."""
    accuracies = []
    for seed in range(seeds):
        recordings = study("debug", seed=seed, n_subjects=subjects, n_runs=1, part="task").at(snr)
        accuracies.append(
            seeg_observer.observe([[recording] for recording in recordings], 120 * subjects)
        )
    means = {n: np.mean([getattr(f, n) for f in accuracies]) for n in ("gamma", "slow", "both")}
    return seeg_observer.WordAccuracy(**means, n=sum(f.n for f in accuracies))


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("snr", "gamma", "slow", "both"),
    [(0.1, None, None, 0.76), (1.0, 0.98, 0.93, 1.0)],
)  # fmt: skip
def test_observer_of_high_gamma_and_slow_potential(snr: float, gamma, slow, both) -> None:
    accuracy = heard(snr, 2, 4)
    assert accuracy.both == pytest.approx(both, abs=0.10)
    for name, expected in (("gamma", gamma), ("slow", slow)):
        if expected is not None:
            assert getattr(accuracy, name) == pytest.approx(expected, abs=0.06)


def decode(snr: float, seeds: int, subjects: int, **options) -> dict[str, float]:
    """Mean accuracy over seeds and subjects of preset debug."""
    runs = []
    for seed in range(seeds):
        simulation = study("debug", seed=seed, snr=snr, n_subjects=subjects, part="task", **options)
        for subject in range(subjects):
            recordings = [r for r in simulation.recordings() if r.place.subject == subject]
            trials = speakers.trials_of(recordings)
            scores = speakers.decode(trials, np.random.default_rng(seed))
            few = speakers.folds(trials.words, 4 / 30)
            scores["few"] = speakers.score(trials.gamma, trials.words, few)
            scores["precision"] = speakers.precision(trials)
            runs.append(scores)
    return {name: float(np.mean([f[name] for f in runs])) for name in runs[0]}


def test_discriminant_lies_between_chance_and_the_observer() -> None:
    """One subject, four words of 24 trials: chance .25, observer 1."""
    simulation = study("tiny", n_subjects=1, n_trials=24, part="task")
    trials = speakers.trials_of(simulation.recordings())
    train = speakers.folds(trials.words, 0.6)
    assert 0.5 < speakers.score(trials.gamma, trials.words, train) < 1.0
    others = speakers.score(trials.gamma[:, trials.weights == 0], trials.words, train)
    mixed = np.where(train, np.random.default_rng(0).permutation(trials.words), trials.words)
    permuted = speakers.score(trials.gamma, mixed, train)
    assert others < 0.5 and permuted < 0.5  # 40 test trials: chance is below .41 in 99 of 100


@pytest.mark.endurance
def test_discriminants_at_snr_1() -> None:
    """Twelve subjects: between subjects the sd of the accuracy is .16."""
    scores = decode(1.0, 3, 4)
    assert scores["all"] == pytest.approx(0.73, abs=0.12)
    assert scores["informative"] == pytest.approx(0.84, abs=0.08)
    assert scores["others"] == pytest.approx(0.09, abs=0.04)
    assert scores["slow"] == pytest.approx(0.20, abs=0.08)
    assert scores["few"] == pytest.approx(0.35, abs=0.10)
    assert scores["permuted"] == pytest.approx(0.08, abs=0.03)
    assert scores["precision"] > 0.8


@pytest.mark.endurance
def test_discriminants_follow_snr() -> None:
    weak, strong = (decode(snr, 2, 2) for snr in (0.1, 3.0))
    assert weak["all"] == pytest.approx(0.19, abs=0.12) and weak["all"] > 0.12
    assert strong["all"] == pytest.approx(0.83, abs=0.12)
    assert 0.3 < weak["precision"] < 0.7 < strong["precision"]  # by chance about .2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_words": 401}, "from 2 to 400"),
        ({"shafts": [5, 3]}, "smaller first"),
        ({"contacts": [1, 3]}, "from 2 to 40"),
        ({"bipolar": "yes"}, "true or false"),
        ({"part": "tsk"}, "all or task or free"),
        ({"free_s": 0.0}, "above 0"),
        ({"flat_channels": 19}, "of 18 channels"),
    ],
)
def test_mistakes_are_one_line(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        study(**options)

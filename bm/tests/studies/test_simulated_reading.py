"""The reading mode: fixations, events, response, observers, and what a ridge recovers."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from scipy.signal import welch

from bm.errors import UserError
from bm.readers.zuco import BANDS_HZ
from bm.studies import STUDIES
from bm.studies.simulated.reading import observer as reading_observer
from bm.studies.simulated.reading.gaze import Fixation, windows_of
from bm.studies.simulated.reading.recording import BETA
from bm.studies.simulated.reading.vocabulary import CLASSES, WORDS, semantics

from . import readers, repeatable


def study(preset: str = "tiny", **options):
    return STUDIES.get("simulated")(mode="reading", preset=preset, **options)


def test_same_bits_in_any_order_and_process() -> None:
    repeatable.check_order("reading", n_runs=2, n_sentences=4)
    repeatable.check_process("reading")


def test_more_subjects_and_runs_begin_with_the_fewer() -> None:
    more = {"n_runs": 2, "n_subjects": 3}
    repeatable.check_growth("reading", {"n_sentences": 4}, {"n_sentences": 4, **more})


def test_snr_scales_the_response_by_its_root_and_nothing_else() -> None:
    repeatable.check_response(lambda snr: study(snr=snr).recordings()[0].signal_uv())


def test_sentences_follow_the_grammar_and_differ() -> None:
    assert [len(CLASSES[k]) for k in CLASSES] == [4, 20, 40, 24, 8] and len(set(WORDS)) == 96
    simulation = study("debug", n_runs=2)
    one, two = (simulation.recordings()[k].sentences for k in (0, 1))
    texts = [s.words for s in (*one, *two)]
    assert len(set(texts)) == 240
    lengths = np.array([len(t) for t in texts])
    assert lengths.min() == 5 and lengths.max() <= 11
    assert lengths.mean() == pytest.approx(5 + 1 + 0.4 * 3.5, abs=0.5)
    same = simulation.recordings()[2].sentences  # the other subject reads the same, at another pace
    assert [s.words for s in same] == [s.words for s in one]
    assert [s.fixations for s in same] != [s.fixations for s in one]


def test_embedding_is_known_and_the_modulation_its_rotation() -> None:
    simulation, meaning = study(), semantics(0)
    table = np.stack([simulation.embedding(word) for word in WORDS])
    np.testing.assert_allclose(table.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(table.std(0), 1)
    np.testing.assert_allclose(
        meaning.modulation @ meaning.modulation.T, table @ table.T, atol=1e-9
    )
    with pytest.raises(UserError, match="is not read"):
        simulation.embedding("volcano")


def test_events_nest_and_follow_the_eyes() -> None:
    recording = study().recordings()[0]
    events = recording.events()
    events["stop_s"] = events["start_s"] + events["duration_s"]
    assert (events["start_s"] >= 0).all() and events["simulated"].all()
    assert (events["stop_s"] <= recording.samples / 500 + 1e-9).all()
    rests = events[(events["kind"] == "special") & (events["name"] == "fixation")]
    for number, sentence in (
        events[events["kind"] == "sentence"].set_index("sequence_id").iterrows()
    ):
        words = events[(events["kind"] == "word") & (events["sequence_id"] == number)]
        words = words.sort_values("word_index")
        assert " ".join(words["word"]) == sentence["text"] == sentence["text"].lower()
        fixations = rests[rests["sequence_id"] == number]
        assert fixations["start_s"].iloc[0] == pytest.approx(sentence["start_s"] + 0.3)
        assert fixations["stop_s"].max() == pytest.approx(sentence["stop_s"] - 0.4, abs=0.05)
        counts = fixations["word_index"].value_counts()
        assert [counts.get(i, 0) for i in words["word_index"]] == words["n_fixations"].tolist()
        assert words["n_fixations"].iloc[0] > 0  # the first word is never skipped
        gaps = [b.start_s - a.stop_s for a, b in itertools.pairwise(fixations.itertuples())]
        np.testing.assert_allclose(gaps, 0.03, atol=1e-9)
    assert rests["duration_s"].between(0.099, 0.601).all()


def test_shares_of_skips_refixations_and_regressions() -> None:
    sentences = [s for r in study("debug", n_subjects=4).recordings() for s in r.sentences]
    passed = np.mean([len({f.word for f in s.fixations}) / len(s.words) for s in sentences])
    assert passed == pytest.approx(1 - 0.15 * 6.4 / 7.4, abs=0.03)
    visits = [(f.word, f.visit) for s in sentences for f in s.fixations if f.visit == 1]
    twice = len(visits) / sum(len({f.word for f in s.fixations}) for s in sentences) - 1
    assert twice == pytest.approx(0.2, abs=0.03)
    lengths = [(f.stop - f.start) / 500 for s in sentences for f in s.fixations]
    assert np.median(lengths) == pytest.approx(0.23, abs=0.01)


def test_windows_of_reading() -> None:
    """a a b a c: word 0 twice, then 1, back to 0, then 2."""
    order = [(0, 1), (0, 1), (1, 1), (0, 2), (2, 1)]
    rests = [Fixation(word, 100 * k, 100 * k + 80, visit) for k, (word, visit) in enumerate(order)]
    starts = {name: [f.start for f in part] for name, part in windows_of(rests, 0).items()}
    assert starts == {"FFD": [0], "SFD": [], "GD": [0, 100], "TRT": [0, 100, 300], "GPT": [0, 100]}
    assert [f.start for f in windows_of(rests, 1)["GPT"]] == [200, 300]
    assert [f.start for f in windows_of(rests, 2)["SFD"]] == [400]
    assert all(part == [] for part in windows_of(rests, 3).values())


def test_fixed_timing_gives_every_word_a_quarter_second() -> None:
    recording = study(timing="fixed").recordings()[0]
    for sentence in recording.sentences:
        assert [f.word for f in sentence.fixations] == list(range(len(sentence.words)))
        assert {f.stop - f.start for f in sentence.fixations} == {125}


def test_response_follows_the_word_that_is_read() -> None:
    """Power of the sources during fixations, over many, is exp(.7 m) of the word."""
    recording = study("debug", n_sentences=60, n_subjects=1, timing="fixed").recordings()[0]
    reader, modulation = recording.reader, semantics(0).modulation
    part = np.linalg.pinv(reader.patterns.T) @ recording.response()  # 16 sources of 32 channels
    power = np.square(reading_observer.band_pass(part, 500))
    wide = list(BANDS_HZ).index("b2") * 2  # 11.5 Hz: sharp enough in time
    expected, powers = [], []
    for sentence in recording.sentences:
        for rest in sentence.fixations:
            expected.append(BETA * modulation[sentence.words[rest.word], wide])
            powers.append(np.log(power[wide, rest.start : rest.stop].mean()))
    slope, _ = np.polyfit(expected, powers, 1)
    assert slope == pytest.approx(1.0, abs=0.25)


def test_layout_of_the_dense_net() -> None:
    recording = study(n_sentences=1, layout="hydrocel105").recordings()[0]
    raw = recording.load_raw()
    assert len(raw.ch_names) == 105 and raw.info["sfreq"] == 500
    places = np.array([c["loc"][:3] for c in raw.info["chs"]])
    assert np.isfinite(places).all() and len(np.unique(places, axis=0)) == 105


def test_signal_statistics() -> None:
    recordings = study("debug", n_sentences=25, n_subjects=4).recordings()
    signals = [r.signal_uv() for r in recordings]
    assert np.median([np.median(s.std(1)) for s in signals]) == pytest.approx(11, rel=0.25)
    assert np.mean([(np.abs(s) < 150).mean() for s in signals]) > 0.999
    o2, exponents, alphas = recordings[0].channels.index("O2"), [], []
    for signal in signals:
        f, p = welch(signal, 500, nperseg=1000)
        fit = ((f >= 2) & (f < 7)) | ((f > 14) & (f <= 40))
        exponents.append(-np.polyfit(np.log(f[fit]), np.log(p[:, fit].mean(0)), 1)[0])
        floor = np.exp(np.interp(10, [7, 14], np.log([p[o2][f == 7][0], p[o2][f == 14][0]])))
        alphas.append(p[o2][(f > 8) & (f < 12.5)].max() / floor)
    assert np.mean(exponents) == pytest.approx(1.3, abs=0.3) and 5 < np.mean(alphas) < 20


@functools.lru_cache(maxsize=8)
def observed(snr: float, seeds: int, n_sentences: int) -> reading_observer.ReadingAccuracy:
    """Accuracy with known filters, mean over seeds of preset debug."""
    accuracies = []
    for seed in range(seeds):
        recordings = study("debug", seed=seed, snr=snr, n_sentences=n_sentences).recordings()
        rng = np.random.default_rng(seed)
        accuracies.append(reading_observer.observe(recordings, 2 * n_sentences, rng))
    word, sentence = (np.mean([getattr(f, n) for f in accuracies]) for n in ("word", "sentence"))
    return reading_observer.ReadingAccuracy(
        word, sentence, accuracies[0].n_words, accuracies[0].n_sentences
    )


def test_observer_rises_with_snr_and_is_chance_at_none() -> None:
    none, weak, one = (observed(snr, 1, 30) for snr in (0.0, 0.1, 1.0))
    assert none.word == pytest.approx(1 / 96) and none.sentence == pytest.approx(0.1)
    assert none.sentence < weak.sentence < one.sentence and weak.word < one.word
    assert one.sentence > 0.85 and one.word > 0.12


def test_observer_reads_windows_of_one_word() -> None:
    simulation = study(
        "debug", n_sentences=40, n_subjects=1, timing="fixed", snr=3.0, artefacts=False
    )
    recording = simulation.recordings()[0]
    signal = recording.signal_uv()
    rests = [(s.words[f.word], f) for s in recording.sentences for f in s.fixations]
    windows = np.stack([signal[:, f.start : f.stop] for _, f in rests])
    answers = simulation.classify(recording, windows).argmax(1)
    assert np.mean(answers == [word for word, _ in rests]) > 0.08  # chance .01


@functools.lru_cache(maxsize=8)
def ridge(snr: float, seeds: tuple[int, ...], n_subjects: int, **options) -> tuple[dict, dict]:
    """Scores and those with permuted words, mean over seeds and subjects of preset debug."""
    runs, permuted = [], []
    for seed in seeds:
        simulation = study("debug", seed=seed, snr=snr, n_subjects=n_subjects, **options)
        for recording in simulation.recordings():
            data, rng = readers.read(recording), np.random.default_rng(seed)
            runs.append(readers.retrieve(data, rng))
            permuted += [readers.retrieve(data, rng, permute=True) for _ in range(5)]
    return readers.mean_of(runs), readers.mean_of(permuted)


def test_ridge_lies_between_chance_and_the_observer() -> None:
    scores, permuted = ridge(3.0, (0,), 1)
    assert scores["r"] > 0.15 and 0.35 < scores["sentence"] < 1.0
    assert abs(permuted["r"]) < 0.06 and permuted["sentence"] < 0.25


@pytest.mark.endurance
def test_observer_at_snr_1() -> None:
    """Measured values; the prototype found .60, .89, .99 and 1 for sentences, .24 for words.

    Half of the errors at snr 1 are sentences of five words (.86). With energies drawn from the
    observer's own chi-square model it finds .99: short windows in narrow bands cost the rest.
    """
    accuracy = observed(1.0, 2, 120)
    assert accuracy.word == pytest.approx(0.24, abs=0.05)
    assert accuracy.sentence == pytest.approx(0.96, abs=0.03)
    for snr, expected in ((0.1, 0.50), (0.3, 0.81), (3.0, 0.98)):
        assert observed(snr, 2, 120).sentence == pytest.approx(expected, abs=0.06)


@pytest.mark.endurance
def test_ridge_follows_snr() -> None:
    scores, permuted = ridge(1.0, (0, 1), 2)
    assert scores["r"] == pytest.approx(0.20, abs=0.05)
    assert scores["sentence"] == pytest.approx(0.49, abs=0.15)
    assert abs(permuted["r"]) < 0.03 and permuted["sentence"] == pytest.approx(0.10, abs=0.06)
    curve = [ridge(snr, (0, 1), 2)[0]["sentence"] for snr in (0.0, 0.1, 0.3, 3.0)]
    assert curve == pytest.approx([0.10, 0.14, 0.23, 0.79], abs=0.15)
    assert curve[0] < curve[2] < scores["sentence"] < curve[3]


def test_band_powers_of_words_carry_their_meaning() -> None:
    """Log powers follow the modulation of the word at the strongest channel of each source."""
    waves = study("debug", n_sentences=60, n_subjects=1).recordings()[0]
    words = study("debug", n_sentences=60, n_subjects=1, signal="words").recordings()[0]
    values, events, truth = words.signal_uv(), words.events(), words.truth()
    fixated = waves.events().query("kind == 'word' and n_fixations > 0")
    rows = events[events["kind"] == "word"]
    assert rows["word"].tolist() == fixated["word"].tolist() and len(rows) == values.shape[1]
    sentences = events[events["kind"] == "sentence"]
    assert sentences["n_words"].sum() == len(rows)
    assert words.channels[:2] == ("t1 Fp1", "t1 Fp2") and values.shape[0] == 8 * 32
    modulation = semantics(0).modulation[[WORDS.index(word) for word in rows["word"]]]
    strongest = truth["reader"].patterns.argmax(1)
    correlations = [
        np.corrcoef(np.log(values[32 * (k // 2) + strongest[k]]), modulation[:, k])[0, 1]
        for k in range(16)
    ]
    # fixations of a quarter second hold few cycles of the lower bands
    assert np.mean(correlations) > 0.15 and np.mean(correlations[8:]) > 0.25
    assert words.fingerprint() != waves.fingerprint()

"""Retrieval among test segments: de-duplication, ranks, chance of the actual candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from bm.data.dataset import Dataset
from bm.data.scale import Scaler
from bm.data.signal import Signal
from bm.data.window_features import FeatureKind
from bm.errors import UserError
from bm.facts import DataFacts
from bm.solvers.speech.candidates import (
    candidate_sets,
    chance_of_top,
    chance_word_errors,
    most_frequent,
    segment_text,
    speech_of,
    word_text,
)
from bm.solvers.speech.checks import scaler_line, split_lines
from bm.solvers.speech.feature_scaling import FeatureScaling, join_features
from bm.solvers.speech.pair import align, beginning
from bm.solvers.speech.retrieval import Encoders, RetrievalOptions, retrieval_evaluation
from bm.tests.reference.batch_scaler import BatchScaler

WORDS = 40


class Windows(Dataset):
    """Forty words, each heard by two people."""

    def __init__(self) -> None:
        events = pd.DataFrame({"kind": "word", "start_s": np.arange(WORDS, dtype=float)})
        events["duration_s"], events["word_index"] = 0.5, np.arange(WORDS) % 8
        events["word_sequence"] = [f"sentence {i // 8}" for i in range(WORDS)]
        events["word"] = [f"W{i % 13}." for i in range(WORDS)]
        table = pd.DataFrame({"recording": np.repeat([0, 1], WORDS)})
        table["event_row"] = np.tile(np.arange(WORDS), 2)
        table["start_s"] = table["event_row"].astype(float)
        table["start"] = table["event_row"] * 10
        table["study"], table["session"], table["run"] = "toy", "0", "0"
        table["subject"] = table["recording"].astype(str)
        table["length"], table["split"], table["label"] = 10, "test", -1
        signal = Signal.__new__(Signal)
        object.__setattr__(signal, "events", events)
        self.signals, self.table = [signal, signal], table
        self.facts = DataFacts(("a",), 10.0, 10, simulated=True)


def encoders(noise: float, seed: int = 0) -> Encoders:
    generator = np.random.default_rng(seed)
    speech = generator.standard_normal((WORDS, 64)).astype(np.float32)
    speech /= np.linalg.norm(speech, axis=1, keepdims=True)
    heard = np.tile(speech, (2, 1))
    brain = heard + noise * generator.standard_normal(heard.shape).astype(np.float32)
    return Encoders(lambda r: torch.from_numpy(brain[r]), lambda r: torch.from_numpy(heard[r]))


def test_a_perfect_decoder_finds_everything() -> None:
    evaluation = retrieval_evaluation(Windows(), "test", encoders(0.0), RetrievalOptions())
    assert evaluation.metrics["top1_accuracy"] == 1 and evaluation.metrics["word_error"] == 0
    assert evaluation.extra["n_candidates"] == [WORDS]  # each once, though two people heard it
    assert evaluation.chance["top10_accuracy"] == pytest.approx(10 / WORDS)
    assert evaluation.extra["subjects"] == {"toy/0": 1.0, "toy/1": 1.0} and evaluation.simulated
    assert evaluation.items is not None and len(evaluation.items) == 2 * WORDS
    # what the second person heard is found at the first one's window
    assert evaluation.items["best"].iloc[WORDS + 3][0] == 3


def test_noise_is_at_the_chance_that_is_named() -> None:
    scores: dict[str, list[float]] = {}
    for seed in range(12):
        options = RetrievalOptions(noise=True, seed=seed, word_top=3)
        evaluation = retrieval_evaluation(Windows(), "test", encoders(0.0, seed), options)
        for name in evaluation.chance:
            scores.setdefault(name, []).append(evaluation.metrics[name] - evaluation.chance[name])
    assert {"top1_accuracy", "word_error"} <= set(scores)
    for name in ("top1_accuracy", "top5_accuracy", "top10_accuracy", "word_error"):
        values = np.array(scores[name])
        assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values)) + 1e-3, name


def test_probabilities_and_candidates_of_the_recording() -> None:
    options = RetrievalOptions(candidates="recording", probabilities=True, word_windows=0)
    evaluation = retrieval_evaluation(Windows(), "test", encoders(0.1), options)
    assert evaluation.items is not None and evaluation.extra["n_candidates"] == [WORDS, WORDS]
    item = evaluation.items.iloc[WORDS + 2]
    assert min(item["candidates"]) == WORDS  # of the second recording alone
    probability = item["probabilities"][item["candidates"].index(WORDS + 2)]
    assert probability == pytest.approx(item["probability"], rel=1e-4)
    assert sum(item["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert "word_error" not in evaluation.metrics


def test_every_item_says_where_it_is_from() -> None:
    """Symptom: an item's study, person and recording are those of its batch, joined."""
    windows = Windows()
    evaluation = retrieval_evaluation(windows, "test", encoders(0.1), RetrievalOptions())
    items = evaluation.items
    for name in ("study", "subject", "recording", "session", "run", "start_s"):
        assert items[name].tolist() == windows.table[name].tolist()
    assert items["segment"].tolist() == list(range(2 * WORDS))
    assert items["segment_hash"].dtype == items["word_hash"].dtype == np.int64
    # an error of retrieval is not called that of a transcription
    assert not any("wer" in name.split("_") for name in evaluation.metrics)


def test_what_a_segment_is() -> None:
    word = {"word_index": 2.0, "word_sequence": "a b c", "sequence_uid": "s", "word": "C."}
    assert segment_text(word) == "2|a b c" and word_text(word) == "c"
    assert segment_text({**word, "word_sequence": float("nan")}) == "2|s"
    assert segment_text({"audio": "1.zip/f.wav", "label": "f"}) == "audio|1.zip/f.wav"
    assert word_text({"phoneme": "F"}) == "f"


def test_chance_levels() -> None:
    rows = np.arange(5)
    table = pd.DataFrame({"segment_hash": [1, 1, 1, 2, 3]})
    (chosen,) = candidate_sets(rows, table, np.zeros(5), "split")
    assert chosen.rows.tolist() == [0, 3, 4] and chance_of_top([chosen], 2) == pytest.approx(2 / 3)
    assert most_frequent([chosen], table["segment_hash"].to_numpy(), 1) == pytest.approx(3 / 5)
    words = np.array([1, 1, 2, 3])
    by_candidate, by_word = chance_word_errors(words, words, 1)
    assert by_candidate == pytest.approx(np.mean([1 / 2, 1 / 2, 3 / 4, 3 / 4]))
    assert by_word == pytest.approx(1 / 2)


def test_windows_at_a_stride_are_segments_of_their_own() -> None:
    windows = Windows()
    windows.table["event_row"] = -1
    assert speech_of(windows, np.arange(6))["segment_hash"].nunique() == 6


def test_feature_scaling_is_that_of_the_published_scaler() -> None:
    kinds = [FeatureKind("mel", 3, True, 0), FeatureKind("word", 1, False, 4)]
    torch.manual_seed(0)
    values = torch.cat([5 + 2 * torch.randn(50, 3, 7), torch.randint(0, 4, (50, 1, 7))], 1)
    mask = torch.rand(50, 7) < 0.8
    for per_channel in (False, True):
        ours, theirs = FeatureScaling(kinds, per_channel), BatchScaler(kinds, per_channel)
        ours.fit(iter([(values[:20], mask[:20]), (values[20:], mask[20:])]))
        theirs.fit(values, mask[:, None])
        expected = theirs.transform(values)
        torch.testing.assert_close(ours(values), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours.inverse(ours(values)), values, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours.class_weights("word"), theirs.class_weights("word"))
        assert "4 classes" in ours.describe()[1] and "standardised" in ours.describe()[0]
    with pytest.raises(UserError, match="no sample"):
        FeatureScaling(kinds).fit(iter([]))


def test_the_brain_is_read_later_than_the_speech() -> None:
    time = torch.arange(361.0).expand(2, 1, 361)
    signal, features, mask = align(time, time, time[:, 0] >= 0, 18)
    assert signal.shape == features.shape == (2, 1, 343) and mask.shape == (2, 343)
    assert bool((signal - features == 18).all())
    assert beginning(time + 1, 36).count_nonzero() == 72
    with pytest.raises(UserError, match="offset_ms"):
        align(time, time, time[:, 0] >= 0, 361)
    with pytest.raises(UserError, match="4 samples"):
        join_features({"sound": torch.zeros(1, 1, 4)}, 5)


def test_the_preflight_says_when_nothing_is_scaled_and_who_is_a_stranger() -> None:
    windows = Windows()
    windows.scaler = Scaler("none", 20.0)
    assert scaler_line(windows) == "signal scaling: NONE, no baseline"  # and nothing is clamped
    windows.scaler = Scaler("robust_windows", 20.0)
    assert scaler_line(windows) == (
        "signal scaling: robust_windows (per recording), clamp 20, no baseline"
    )
    windows.table.loc[windows.table["recording"] == 0, "split"] = "train"
    windows.table["study"] = [f"study{r}" for r in windows.table["recording"]]
    windows.table["subject"] = "01"  # two people of one name
    rule = {"key": "recording", "seed": 0, "fixed": {}}
    lines = split_lines(windows, rule)
    assert lines[0] == "split: by recording (study, subject, session, run), hash, seed 0"
    assert f"  test: {WORDS} windows, 1 keys, 1 subjects, 1 recordings" in lines
    assert lines[-1] == "  subjects of test that never train: 1"

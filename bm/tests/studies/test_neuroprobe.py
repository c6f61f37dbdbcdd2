"""Neuroprobe's tasks on words of a film: which words, in which order, in which quarter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bm.errors import RecordingError, UserError
from bm.studies.brain_treebank import BrainTreebank, with_features
from bm.studies.shared.neuroprobe import (
    QUARTERS,
    SILENCE,
    TASKS,
    VALUES,
    split_of,
    task_trials,
    without_overlaps,
)

from .datasets import dataset
from .films import write_film

PATH = Path("words.csv")


def words_of(count: int = 200) -> pd.DataFrame:
    """Words of a film, with all columns that tasks are made of."""
    rng = np.random.default_rng(0)
    starts = np.cumsum(rng.uniform(0.3, 1.5, count))
    table = pd.DataFrame({
        "est_idx": (starts * 2048).astype(int), "start": starts, "end": starts + 0.2,
        "sentence": [f"s{n // 5}" for n in range(count)], "idx_in_sentence": np.arange(count) % 5,
        "is_onset": (np.arange(count) % 5 == 0).astype(float),
        "face_num": rng.integers(0, 3, count),
        "bin_head": rng.integers(0, 2, count), "pos": rng.choice(["NOUN", "VERB", "ADJ"], count),
    })  # fmt: skip
    for column in QUARTERS.values():
        table[column] = rng.normal(size=count)
    table["word_length"] = rng.integers(1, 9, count)  # many ties
    return table


SILENCES = pd.DataFrame({"est_idx": np.arange(1_000_000, 1_000_000 + 60 * 1024, 1024)})


def row_of(words: pd.DataFrame, trials: pd.DataFrame, label: str) -> np.ndarray:
    """Rows of the words that trials of a class begin with."""
    rows = {int(sample): n for n, sample in enumerate(words["est_idx"])}
    starts = trials.loc[trials["label"] == label, "start_s"]
    return np.array([rows[round(start * 2048)] for start in starts])


@pytest.mark.parametrize("task", TASKS)
def test_both_classes_go_through_the_quarters_in_the_order_of_time(task: str) -> None:
    words = words_of()
    trials = task_trials(words, SILENCES, task, PATH)
    assert len(trials) >= 40 and (trials["label"] == "1").mean() == 0.5
    assert (np.diff(trials["start_s"]) >= 0).all()
    counts = trials["quarter"].value_counts()
    assert sorted(counts.index) == list("0123") and counts.max() - counts.min() <= 2
    for label in "01":  # each class goes through the quarters in the order of time
        some = trials[trials["label"] == label]
        assert (np.diff(some["quarter"].astype(int)) >= 0).all()
        assert some["start_s"].is_unique


@pytest.mark.parametrize("task", QUARTERS)
def test_quarters_are_shares_of_smaller_values(task: str) -> None:
    words = words_of()
    values = words[QUARTERS[task]].to_numpy(float)
    trials = task_trials(words, None, task, PATH)
    for label, right in (("1", lambda s: s > 0.75), ("0", lambda s: s < 0.25)):
        for row in row_of(words, trials, label):
            assert right((values < values[row]).mean())


def test_the_draw_is_that_of_the_package() -> None:
    """RandomState(42) chooses the second class, then the first, both from rows in order."""
    words = words_of()
    trials = task_trials(words, None, "word_part_speech", PATH, most=20)
    draw = np.random.RandomState(42)
    for label, value in (("1", "VERB"), ("0", "NOUN")):
        rows = np.flatnonzero(words["pos"] == value)
        expected = np.sort(draw.choice(rows, size=10, replace=False))
        assert np.array_equal(row_of(words, trials, label), expected)


def test_gaps_lie_within_sentences_and_words_without_a_value_are_left_out() -> None:
    words = words_of()
    trials = task_trials(words, None, "word_gap", PATH)
    for label in "01":
        assert (words["idx_in_sentence"].to_numpy()[row_of(words, trials, label)] > 0).all()
    words.loc[:20, "rms"] = np.nan
    trials = task_trials(words, None, "volume", PATH)
    assert min(row_of(words, trials, "0").min(), row_of(words, trials, "1").min()) > 20


def test_no_sample_is_in_two_splits_and_the_test_keeps_its_windows() -> None:
    trials = task_trials(words_of(), None, "word_length", PATH)
    trials["published_split"] = split_of(trials["quarter"], 1)
    clean = without_overlaps(trials)
    assert (clean["published_split"] == "test").sum() == (trials["published_split"] == "test").sum()
    assert len(trials) - 8 <= len(clean) < len(trials)
    ends = {s: some["start_s"] for s, some in clean.groupby("published_split")}
    for first, second in (("valid", "test"), ("test", "train"), ("valid", "train")):
        apart = np.abs(ends[first].to_numpy()[:, None] - ends[second].to_numpy())
        assert apart.min() >= 1.0


def test_what_a_task_lacks_is_named() -> None:
    words = words_of()
    with pytest.raises(RecordingError, match=r"no column 'pos'.*features\.csv"):
        task_trials(words.drop(columns="pos"), None, "word_part_speech", PATH)
    with pytest.raises(RecordingError, match="one of the classes has no window"):
        task_trials(words, None, "speech", PATH)
    with pytest.raises(UserError, match="volume"):
        BrainTreebank(root=Path(), task="volum")
    assert set(VALUES) | set(QUARTERS) | {*SILENCE, "word_gap"} == set(TASKS) and len(TASKS) == 15


def test_a_task_as_windows_of_two_films(tmp_path: Path) -> None:
    for film in (1, 2):
        write_film(tmp_path, film=film, seconds=200)
        table = words_of(150)
        table["text"], table["est_end_idx"] = "w", table["est_idx"] + 100
        folder = tmp_path / "brain_treebank/braintreebank_features_time_alignment"
        table.to_csv(folder / f"subject1_trial{film}_words_df.csv", index=False)
    data = dataset("neuroprobe", tmp_path, preprocess=[], rate_hz=None)
    assert data.facts.classes == ("0", "1") and data.facts.window_samples == 2048
    table = data.table
    assert set(table.loc[table["run"] == "1", "split"]) == {"train"}
    other = table[table["run"] == "2"].groupby("split")["start"].agg(["min", "max"])
    assert set(other.index) == {"valid", "test"}
    assert other.loc["valid", "min"] < other.loc["test", "max"]
    assert table.groupby("split")["label"].mean().between(0.4, 0.6).all()
    for fold, first in ((1, "valid"), (2, "train")):
        within = {"study": "brain_treebank", "films": ["the-martian"], "task": "volume"}
        data = dataset("neuroprobe", tmp_path, preprocess=[], rate_hz=None,
                       studies=[{**within, "fold": fold}])  # fmt: skip
        shares = data.table["split"].value_counts(normalize=True)
        assert shares["train"] == pytest.approx(0.5, abs=0.05)
        assert data.table.sort_values("start")["split"].iloc[0] == first
    with pytest.raises(UserError, match="fold=3"):
        BrainTreebank(root=tmp_path, task="volume", fold=3)


def test_words_are_joined_with_what_is_said_of_them_elsewhere(tmp_path: Path) -> None:
    """Version 0.1.8 of the tables has places alone; the rest lies beside the recordings."""
    folder = tmp_path / "aligned"
    features = tmp_path / "transcripts/thor-ragnarok/features.csv"
    sounds = tmp_path / "pitch_volume_features/thor-ragnarok_pitch_volume_features.json"
    for path in (folder, features.parent, sounds.parent):
        path.mkdir(parents=True)
    path = folder / "subject1_trial2_words_df.csv"
    path.write_text("original_index,est_idx,start,full_word\n4,10,1.5,a\n2,20,2.25,b\n")
    features.write_text(",pos,start\n2,NOUN,9\n4,VERB,9\n")
    sounds.write_text(json.dumps({
        f"{t}": {"enhanced_pitch": t * 100, "enhanced_volume": t} for t in (1.5, 2.25)
    }))  # fmt: skip
    words = with_features(path, "thor-ragnarok", tmp_path)
    assert words["pos"].tolist() == ["VERB", "NOUN"] and words["start"].tolist() == [1.5, 2.25]
    assert words["enhanced_pitch"].tolist() == [150.0, 225.0]
    features.write_text(",pos\n2,NOUN\n")
    with pytest.raises(RecordingError, match="no word of row 2"):
        with_features(path, "thor-ragnarok", tmp_path)

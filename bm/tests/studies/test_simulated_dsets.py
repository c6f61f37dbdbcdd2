"""The simulated studies on the path of every experiment: store, windows, labels, batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.data.dataset import Dataset, build_dataset
from bm.data.store import Store
from bm.studies import recordings_of
from bm.studies.simulated.reading.vocabulary import WORDS

from ..shipped import section

SHARED = {"kind", "start_s", "duration_s", "simulated"}
#: What the events of a mode may say; the rest is truth and stays with the study.
COLUMNS = {
    "motor": {"label", "class", "cue_s", "name"},
    "background": {"label", "class", "name"},
    "reading": {"text", "sequence_id", "sequence_uid", "word", "word_index", "n_fixations", "name",
                "word_sequence", "language", "modality", "pass"},
    "seeg": {"label", "class", "word", "go_s"},
}  # fmt: skip


def dataset(mode: str, cache: Path, **options) -> Dataset:
    """The shipped data set of a mode, of the smallest size, through the store."""
    config = section("dset", f"simulated_{mode}")
    entry = {**config["studies"][0], "preset": "tiny", **options}
    recordings, simulated = recordings_of([entry], {"studies": ".", "cache": cache})
    assert simulated
    return build_dataset(recordings, config, True, Store(cache))


@pytest.mark.parametrize("mode", list(COLUMNS))
def test_events_and_batches_hold_no_truth(mode: str, tmp_path: Path) -> None:
    data = dataset(mode, tmp_path)
    for signal in data.signals:
        assert set(signal.events) - SHARED <= COLUMNS[mode]
    assert data.facts.simulated and set(data.table["split"]) <= {"train", "valid", "test"}
    rows = data.rows("train")[:4]
    batch = data.gather(rows)
    assert batch.features == {} and batch.signal.isfinite().all()
    assert batch.label.tolist() == data.table["label"].to_numpy()[rows].tolist()


def test_words_that_are_read(tmp_path: Path) -> None:
    data = dataset("reading", tmp_path, n_subjects=2, n_sentences=30)
    assert set(data.facts.classes) <= set(WORDS) and data.facts.window_samples == 125
    splits = data.table.groupby("sequence_uid")["split"].nunique()
    assert (splits == 1).all() and data.table["subject"].nunique() == 2
    for row in data.table.sample(20, random_state=0).itertuples():
        event = data.signals[row.recording].events.iloc[row.event_row]
        assert event["word"] == data.facts.classes[row.label] and event["n_fixations"] > 0
        assert row.start == round(event["start_s"] * 500)


def test_words_that_are_spoken(tmp_path: Path) -> None:
    data = dataset("seeg", tmp_path)
    assert data.facts.classes == ("word-00", "word-01", "word-02", "word-03")
    assert set(data.facts.kinds) == {"seeg"} and data.facts.window_samples == 3000
    assert len(data.facts.positions) == len(data.facts.channels)
    assert np.bincount(data.table["label"].astype(int)).tolist() == [6, 6, 6, 6]

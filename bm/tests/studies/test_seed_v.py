"""SEED-V on a miniature of its folder: published clips, emotions and split."""

from __future__ import annotations

from pathlib import Path

import pytest

from bm.data.audit import audit_table
from bm.errors import RecordingError, UserError
from bm.studies import recordings_of
from bm.studies.seed_v import CLASSES, TRIALS

from .datasets import dataset
from .emotion_files import NAMES, RATE, session


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seed_v")
    session(root / "seed_v/EEG_raw/10_2_20180524.edf", TRIALS["2"][1][-1] + 20, 2)
    session(root / "seed_v/EEG_raw/2_3_20180401.edf", TRIALS["3"][1][-1], 7)
    return root


def test_clips_are_the_published_ones() -> None:
    seconds = 0
    for begins, ends, labels in TRIALS.values():
        assert len(begins) == len(ends) == len(labels) == 15
        assert [labels.count(c) for c in range(5)] == [3] * 5
        assert all(a < b for a, b in zip(begins, ends, strict=True))
        # after disgust and fear people rested for longer (description of the data set)
        rests = [b - a for a, b in zip(ends, begins[1:], strict=False)]
        after = list(zip(rests, labels, strict=False))
        shortest = {c: min(rest for rest, label in after if label == c) for c in range(5)}
        assert [c for c in range(5) if shortest[c] > 45] == [0, 1]
        seconds += sum(ends) - sum(begins)
    assert 16 * seconds == 117_744  # windows of the public set


def test_windows_labels_and_split(root: Path) -> None:
    data = dataset("seed_v", root, preprocess=[], rate_hz=None)
    table = data.table
    assert data.facts.classes == CLASSES and len(data.facts.channels) == 62
    assert [name.upper() for name in data.facts.channels] == NAMES
    assert table["subject"].unique().tolist() == ["02", "10"]
    assert (
        table["split"] == [("train", "valid", "test")[row // 5] for row in table["event_row"]]
    ).all()
    assert set(table["length"]) == {RATE}
    second = table[table["session"] == "2"]
    begins, ends, labels = TRIALS["2"]
    assert len(second) == sum(ends) - sum(begins)
    for clip, rows in second.groupby("event_row"):
        assert rows["start_s"].tolist() == list(range(begins[clip], ends[clip]))
        assert set(rows["label"]) == {labels[clip]}
    signals = [s.events for s in data.signals]
    assert not audit_table(table.assign(length_s=1.0), signals)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file such as EEG_raw/1_1_20180804\.cnt"):
        recordings_of([{"study": "seed_v"}], {"studies": tmp_path, "cache": tmp_path})
    session(tmp_path / "a/1_2_20180804.edf", 100, 0)
    session(tmp_path / "a/2_1_20180804.edf", 10, 0, NAMES[1:])
    (short, few), _ = recordings_of(
        [{"study": "seed_v", "path": str(tmp_path / "a")}], {"studies": tmp_path, "cache": "."}
    )
    with pytest.raises(RecordingError, match="100 s, but session 2 lasts 2817 s"):
        short.events()
    with pytest.raises(RecordingError, match="61 electrodes, not 62"):
        few.load_raw()

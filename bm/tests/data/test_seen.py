"""What a model has seen: compared by content and time, read back whole, damaged lists refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bm.data.audit import audit_seen, shared_people, stimuli_of
from bm.data.dataset import Dataset, build_dataset
from bm.data.seen import NAME, Seen, merged, seen_by
from bm.errors import UserError
from bm.studies.folder import Folder

from .noise_files import dset, write


def windows(tmp_path: Path, name: str, fixed: dict, **changes: object) -> Dataset:
    recordings = Folder(path=str(tmp_path), name=name).recordings()
    split = {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": fixed}
    return build_dataset(recordings, dset(split=split, **changes))


def seen(dataset: Dataset) -> Seen:
    events = [one.events for one in dataset.signals]
    return seen_by(dataset, stimuli_of(dataset.windows(), events))


def written(dataset: Dataset, folder: Path) -> Seen:
    (folder / NAME).write_text(seen(dataset).to_text())
    back = Seen.read(folder)
    assert back is not None
    return back


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for number in range(3):
        write(tmp_path / "data" / f"s{number}_raw.fif", number)
    return tmp_path / "data"


def test_a_study_under_another_name_shares_recording_time(study: Path, tmp_path: Path) -> None:
    up = written(windows(study, "corpus", {}), tmp_path)
    down = windows(study, "task", {"test": {"subject": ["s1_raw"]}})
    (finding,) = audit_seen(down, up, "//sig/ab12cd34")
    assert (finding.where, finding.count) == ("corpus/s1_raw/0/s1_raw.fif", 4)
    assert finding.splits == ("train of //sig/ab12cd34", "test")


def test_other_stretches_of_the_same_recording_are_clean(study: Path, tmp_path: Path) -> None:
    up = written(windows(study, "corpus", {"test": {"event_row": [2, 3]}}), tmp_path)
    assert audit_seen(windows(study, "task", {"test": {"event_row": [2, 3]}}), up, "x") == []
    findings = audit_seen(windows(study, "task", {"test": {"event_row": [1, 2]}}), up, "x")
    assert [one.count for one in findings] == [1, 1, 1]


def test_times_are_those_of_the_file_whatever_was_cropped(study: Path, tmp_path: Path) -> None:
    up = written(windows(study, "corpus", {"test": {"event_row": [2, 3]}}), tmp_path)
    crop = [{"step": "crop", "start_s": 4.0}]
    # The trials at 2 and 14 s were trained on; that at 14 s begins at 10 s after the crop.
    down = windows(study, "task", {"test": {"start": [2000]}}, preprocess=crop)
    assert [one.count for one in audit_seen(down, up, "x")] == [1, 1, 1]
    down = windows(study, "task", {"test": {"start": [1200]}}, preprocess=crop)
    assert audit_seen(down, up, "x") == []


def test_a_near_copy_in_other_hands_is_found(study: Path, tmp_path: Path) -> None:
    up = written(windows(study, "corpus", {}), tmp_path)
    down = windows(study, "task", {"test": {"subject": ["s1_raw"]}})
    exact = down.signals[1].content
    assert exact is not None
    scaled = replace(exact, files="of an export", samples="scaled", times_s=exact.times_s - 4)
    down.signals[1] = replace(down.signals[1], content=scaled)
    # 4 s were cut off: trials at 2, 6 and 10 s are those at 6, 10 and 14 s of the original.
    (finding,) = audit_seen(down, up, "x")
    assert (finding.where, finding.count) == ("corpus/s1_raw/0/s1_raw.fif", 3)


def test_people_and_models_before_are_handed_on(study: Path, tmp_path: Path) -> None:
    first = replace(seen(windows(study, "a", {})), unknown=["//hub/x/y"])
    second = Seen().joined(first, "//sig/00000000")
    assert second.unknown == ["//hub/x/y"]
    assert second.people == {"a/s0_raw", "a/s1_raw", "a/s2_raw"}
    down = windows(study, "a", {"test": {"subject": ["s1_raw"]}})
    assert shared_people(down, second) == {"a/s1_raw"}
    assert "//sig/00000000" in audit_seen(down, second, "x")[0].where


def test_a_damaged_list_is_refused_and_none_is_none(tmp_path: Path) -> None:
    assert Seen.read(tmp_path) is None
    (tmp_path / NAME).write_text('{"recordings": [')
    with pytest.raises(UserError, match="damaged"):
        Seen.read(tmp_path)


def test_stretches_are_merged_in_order() -> None:
    assert merged([(3, 4), (0, 1), (1, 2.5), (0.5, 0.7)]) == [(0.0, 2.5), (3.0, 4.0)]
    assert merged([]) == []


def test_stimuli_that_last_longer_than_windows_are_met() -> None:
    table = pd.DataFrame({"recording": 0, "start_s": [0.0, 5.0, 9.5], "length_s": 1.0,
                          "split": ["train", "train", "test"]})  # fmt: skip
    events = pd.DataFrame({"kind": "sentence", "start_s": [0.0, 2.0], "duration_s": [10.0, 1.0],
                           "sequence_uid": ["long", "short"]})  # fmt: skip
    rows = stimuli_of(table, [events])
    assert rows[["segment", "name"]].to_numpy().tolist() == [[0, "long"], [1, "long"], [2, "long"]]

"""Search of a folder: links once, circles named, nothing hidden, pipes refused, parts together."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from bm.readers.folder_walk import Walk


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(root: Path, **options: object) -> list[str]:
    walk = Walk(root, **options).search()  # type: ignore[arg-type]
    return [path.relative_to(root).as_posix() for path in walk.paths]


def test_hidden_and_derived_folders_are_not_searched_at_any_depth(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "ds001"):
        touch(root / "sub-01" / "eeg" / "sub-01_eeg.edf", root / "derivatives" / "x" / "y.edf",
              root / "sourcedata" / "z.edf", root / "code" / "c.edf", root / "stimuli" / "s.edf",
              root / ".git" / "annex" / "k.edf")  # fmt: skip
    paths = ["ds001/sub-01/eeg/sub-01_eeg.edf", "sub-01/eeg/sub-01_eeg.edf"]
    assert names(tmp_path) == paths
    assert names(tmp_path, patterns=["**/*.edf"]) == paths
    assert names(tmp_path, patterns=["derivatives/**/*.edf"]) == ["derivatives/x/y.edf"]


def test_outside_bids_such_folders_are_folders(tmp_path: Path) -> None:
    touch(tmp_path / "code" / "c.edf", tmp_path / "session.edf" / "x.edf", tmp_path / "s.ds" / "m")
    assert names(tmp_path) == ["code/c.edf", "s.ds", "session.edf/x.edf"]


def test_links_are_followed_and_each_target_is_read_once(tmp_path: Path, caplog) -> None:
    outside, study = tmp_path / "outside", tmp_path / "study"
    touch(outside / "s1" / "a.edf", outside / "b.edf", study / "z" / "own.edf")
    (study / "s1").symlink_to(outside / "s1")
    (study / "s2").symlink_to(outside / "s1")
    (study / "b.edf").symlink_to(outside / "b.edf")
    (study / "a-link").symlink_to(study / "z")  # before its target in order of names
    (study / "z" / "up").symlink_to(study)
    with caplog.at_level(logging.WARNING):
        assert names(study) == ["b.edf", "s1/a.edf", "z/own.edf"]
    text = caplog.text
    assert "s2 leads to" in text
    assert "a-link leads to" in text
    assert "above itself: not followed" in text


def test_pipes_and_broken_links_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.edf")
    (tmp_path / "gone.edf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.edf").symlink_to(tmp_path / "loop.edf")
    walk = Walk(tmp_path).search()
    assert walk.paths == []
    reasons = {Path(error.path).name: error.reason for error in walk.errors}
    assert set(reasons) == {"p.edf", "gone.edf", "loop.edf"}
    assert "neither a file nor a folder" in reasons["p.edf"]


@pytest.mark.parametrize("naming", ["neuromag", "bids"])
def test_later_parts_begin_no_recording(tmp_path: Path, naming: str) -> None:
    import mne
    import numpy as np

    info = mne.create_info(8, 200.0, "eeg")
    data = np.random.default_rng(0).normal(0, 1e-5, (8, 60_000))
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.save(tmp_path / "sub-1_eeg.fif", split_size="2.2MB", buffer_size_sec=1.0,
             split_naming=naming, verbose="error")  # fmt: skip
    parts = sorted(p.name for p in tmp_path.glob("*.fif"))
    first = parts[0] if naming == "bids" else parts[1]
    assert names(tmp_path) == [first]
    (tmp_path / first).unlink()
    walk = Walk(tmp_path).search()
    assert walk.paths == []
    assert "later part" in walk.errors[0].reason


def test_numbers_at_the_end_of_a_name_are_no_parts(tmp_path: Path) -> None:
    import mne
    import numpy as np

    for seed, name in enumerate(("rest_raw.fif", "rest_raw-1.fif", "rest-2.fif")):
        data = np.random.default_rng(seed).normal(0, 1e-5, (2, 500))
        info = mne.create_info(2, 100.0, "eeg")
        mne.io.RawArray(data, info, verbose="error").save(tmp_path / name, verbose="error")
    assert names(tmp_path) == ["rest-2.fif", "rest_raw-1.fif", "rest_raw.fif"]


def test_what_systems_and_offices_keep_for_themselves_is_not_searched(tmp_path: Path) -> None:
    folders = ("$RECYCLE.BIN", "@eaDir", "__MACOSX", "System Volume Information")
    touch(*(tmp_path / folder / "S2.edf" for folder in folders))
    touch(*(tmp_path / name for name in ("S1.edf", "~$S1.edf", "._S1.edf")))
    assert names(tmp_path) == ["S1.edf"]


def test_packed_and_unfinished_files_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packed = ("S2.edf.gz", "S3.zip", "S4.edf.part", "S5.BDF.crdownload", "more.tar.gz", "S6.set.xz")
    others = ("S1.edf", "S7_raw.fif.gz", "notes.txt.gz", "S1.edf.event", "S1_events.tsv.part")
    touch(*(tmp_path / name for name in (*packed, *others)))
    with caplog.at_level(logging.WARNING):
        walk = Walk(tmp_path).search()
    assert {path.name for path in walk.packed} == set(packed)
    assert [path.name for path in walk.paths] == ["S1.edf", "S7_raw.fif.gz"]
    assert "6 files are packed or not complete" in caplog.text and "S2.edf.gz" in caplog.text

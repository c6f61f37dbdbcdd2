"""Study labram_h5: LaBraM's files take the ordinary way through the store."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from bm.data import chunks, sources
from bm.data.dataset import build_dataset
from bm.data.store import Store, in_memory, recipe_of
from bm.errors import UserError
from bm.readers import labram_h5_raw as h5_raw
from bm.studies import build_study
from bm.studies.labram_corpus import H5Recording
from bm.studies.prepare import Job, export, prepare

CASES = Path(__file__).parents[1] / "golden" / "cases" / "labram" / "h5_windows"
DSET = {
    "segment": {
        "kind": "block", "offset_s": 0.0, "duration_s": 4.0, "stride_s": 1.0, "label": None,
    },
    "split": {
        "key": "recording", "seed": 0, "ratios": {"train": 1.0, "valid": 0.0, "test": 0.0},
        "fixed": {"valid": {"subject": ["s1"]}, "test": {"subject": ["s2"]}},
    },
    "scale": {"kind": "none", "clamp": None},
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "labram_h5"
    folder.mkdir(parents=True)
    for path in CASES.glob("*.hdf5"):
        (folder / path.name).write_bytes(path.read_bytes())
    return tmp_path / "data"


def study_of(root: Path, **options: object):
    entry = {"study": "labram_h5", **options}
    return build_study(entry, {"studies": root, "cache": root.parent / "cache"})


def test_groups_become_recordings_with_the_microvolts_of_the_file(root: Path) -> None:
    recordings = study_of(root).recordings()
    assert [(r.id.session, r.id.subject) for r in recordings] == [
        ("file0", "recA"), ("file0", "recB"), ("file1", "s1"), ("file1", "s2"),
    ]  # fmt: skip
    store = Store(root.parent / "cache")
    for recording in recordings:
        signal = store.get(recording, recipe_of({}))
        with h5py.File(recording.source[0]) as file:
            wanted = file[recording.id.subject]["eeg"][()].T
        assert signal.channels == ("C3", "CZ", "C4") and signal.rate_hz == 200
        assert np.isnan(signal.positions).all()
        np.testing.assert_allclose(signal.data.numpy(), wanted, rtol=2e-7, atol=1e-9)


def test_part_of_a_raw_is_read_in_any_order_of_channels(root: Path) -> None:
    raw = study_of(root).recordings()[0].load_raw()
    whole = raw.get_data()
    np.testing.assert_array_equal(raw.get_data(picks=[2, 0], start=37, stop=411)[:, ::3],
                                  whole[[2, 0], 37:411:3])  # fmt: skip
    cropped = raw.copy().pick(["C4"]).crop(1.0, 2.0)
    np.testing.assert_array_equal(cropped.get_data()[0], whole[2, 200:401])
    raw.set_eeg_reference("average", projection=True, verbose="error").apply_proj(verbose="error")
    np.testing.assert_allclose(raw.get_data(), whole - whole.mean(0), atol=1e-12)


def test_a_long_recording_takes_the_way_in_groups_of_channels(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = study_of(root).recordings()[1]
    recipe = recipe_of({"preprocess": [{"step": "bandpass", "low_hz": 1.0}], "rate_hz": 100.0})
    short = in_memory(recording, recipe)
    monkeypatch.setattr(chunks, "WHOLE", 1000)
    monkeypatch.setattr(chunks, "GROUP", 32 * 1000)  # two channels
    asked: list[int] = []
    plain = h5_raw.read_samples

    def counted(group, start, stop, channels=None):
        samples = plain(group, start, stop, channels)
        asked.append(len(samples))
        return samples

    monkeypatch.setattr(h5_raw, "read_samples", counted)
    long = in_memory(recording, recipe)
    np.testing.assert_allclose(long.data.numpy(), short.data.numpy(), atol=1e-4)
    assert asked == [1, 2]


def test_windows_of_the_data_set_are_those_of_labram(root: Path) -> None:
    dset = {**DSET, "studies": [{"study": "labram_h5"}]}
    dataset = build_dataset(study_of(root).recordings(), dset)
    rows = dataset.table[["session", "subject", "start"]]
    wanted = [("recA", s) for s in range(0, 601, 200)] + [("recB", s) for s in range(0, 1001, 200)]
    wanted += [("s1", 0), ("s1", 200), ("s2", 0)]
    assert list(zip(rows["subject"], rows["start"], strict=True)) == wanted


def test_patterns_choose_files_and_mistakes_are_one_line(root: Path, tmp_path: Path) -> None:
    assert len(study_of(root, files="labram_h5/file1.*").recordings()) == 2
    whole = str(root / "labram_h5" / "file0.hdf5")
    assert len(study_of(root, files=[whole, whole]).recordings()) == 2
    with pytest.raises(UserError, match=r"no file 'x\*.hdf5'"):
        study_of(root, files="x*.hdf5").recordings()
    with pytest.raises(UserError, match=r"no \.hdf5 file below"):
        study_of(tmp_path / "nothing").recordings()


def test_a_bad_file_is_skipped_and_the_rest_is_written_again(root: Path) -> None:
    (root / "labram_h5" / "bad.hdf5").write_bytes(b"no data")
    paths = {"studies": root, "cache": root.parent / "cache"}
    job = Job([{"study": "labram_h5"}], paths, recipe_of({}))
    summary = prepare(job, say=lambda line: None)
    assert summary.recordings == 4 and len(summary.bad) == 1
    assert "bad.hdf5" in summary.bad[0].path
    (written,) = export(job, root.parent / "out")
    assert written.name == "labram_h5-3ch-200hz.hdf5"
    again = study_of(root, files=str(written)).recordings()
    assert [r.id.subject for r in again] == [
        f"labram_h5_{name}_0" for name in ("recA_file0", "recB_file0", "s1_file1", "s2_file1")
    ]
    first = study_of(root).recordings()[1]
    np.testing.assert_allclose(again[0].load_raw().get_data(), first.load_raw().get_data(), 1e-6)


def test_a_file_of_many_recordings_is_hashed_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    plain = sources.hash_file

    def counted(path: str) -> str:
        hashed.append(path)
        return plain(path)

    monkeypatch.setattr(sources, "hash_file", counted)
    path = root / "labram_h5" / "file0.hdf5"
    paths, later = [str(path)], path.stat().st_ctime_ns + 2e9
    monkeypatch.setattr(sources.time, "time_ns", lambda: later)
    first = sources.read_sources(paths)
    assert sources.read_sources(paths) == first and hashed == paths
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not sources.same_content(first, paths)  # though size and time are those known
    assert len(hashed) == 2


def test_recordings_differ_by_group(root: Path) -> None:
    path = root / "labram_h5" / "file0.hdf5"
    assert H5Recording(path, "recA").fingerprint() != H5Recording(path, "recB").fingerprint()

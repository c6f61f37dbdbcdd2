"""LaBraM's HDF5 layout: read, counted and written as its own files are."""

from __future__ import annotations

import errno
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from bm.data import segments
from bm.data.signal import Signal
from bm.errors import RecordingError, UserError
from bm.readers import labram_h5 as h5_layout
from bm.readers.labram_h5 import (
    band_of,
    names_of,
    read_group,
    read_samples,
    write_file,
    write_folder,
)
from bm.studies.labram_corpus import LabramH5
from bm.tests.reference.labram_windows import window_starts

PUBLISHED = Path(__file__).parents[1] / "golden" / "cases" / "labram" / "h5_windows" / "file0.hdf5"
RECIPE = {
    "preprocess": [{"step": "bandpass", "low_hz": 0.1, "high_hz": 75.0}, {"step": "notch"}],
    "rate_hz": 200.0,
}


def signal_of(values: np.ndarray, names: list[str], rate: float = 200.0, unit: str = "uV"):
    return Signal(
        data=torch.from_numpy(values.T.astype(np.float32).copy()),
        channels=tuple(names),
        kinds=("eeg",) * len(names),
        positions=np.zeros((len(names), 3), np.float32),
        rate_hz=rate,
        unit=unit,
        events=pd.DataFrame(),
        identity="x",
    )


def noise(samples: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(samples).standard_normal((channels, samples)).astype(np.float32)


def original_starts(samples: int, w: int, s: int, p0: float, p1: float) -> list[int]:
    """The published index (LaBraM's `SingleShockDataset`), word for word."""
    n = (samples - w) // s + 1
    first, last = int(n * p0) * s, int(n * p1 - 1) * s
    count = (last - first) // s + 1
    return [first + j * s for j in range(count)]


@pytest.mark.parametrize("shares", [(0, 1), (0, 0.9), (0.9, 1), (0.25, 0.5), (0.5, 0.5)])
@pytest.mark.parametrize("samples", [800, 801, 999, 1000, 1400, 1999, 12345])
def test_windows_start_where_the_original_starts_them(samples: int, shares: tuple) -> None:
    expected = original_starts(samples, 800, 200, *shares)
    assert window_starts(samples, 800, 200, *shares).tolist() == expected
    assert all(start + 800 <= samples for start in expected)


@pytest.mark.parametrize("samples", [0, 100, 599, 600, 799, 800, 801, 999, 1000, 1400, 12345])
def test_windows_of_a_recording_start_where_the_reference_starts_them(samples: int) -> None:
    """Fault 14: a short recording had a negative count, which spoilt the index of all others."""
    for shares in [(0, 0.9), (0.9, 1)]:
        assert samples >= 800 or not len(window_starts(samples, 800, 200, *shares))
    events = pd.DataFrame({"kind": ["block"], "start_s": 0.0, "duration_s": samples / 200.0})
    segment = {"kind": "block", "duration_s": 4.0, "stride_s": 1.0}
    table = segments.segments_of(0, events, samples, 200.0, segment)
    assert table["start"].tolist() == window_starts(samples, 800, 200).tolist()


def test_what_is_written_has_the_published_form(tmp_path: Path) -> None:
    with h5py.File(PUBLISHED) as file:
        values = {name: file[name]["eeg"][()].astype(np.float32) for name in file}
    signals = {name: signal_of(v, ["C3", "Cz", "C4"]) for name, v in values.items()}
    write_file(tmp_path / "ours.hdf5", signals, RECIPE)
    with h5py.File(PUBLISHED) as theirs, h5py.File(tmp_path / "ours.hdf5") as ours:
        assert list(ours) == list(theirs) == ["recA", "recB"]
        for name in theirs:
            a, b = ours[name]["eeg"], theirs[name]["eeg"]
            assert list(ours[name]) == ["eeg"]
            assert (a.shape, a.dtype, a.chunks) == (b.shape, b.dtype, b.chunks)
            assert set(a.attrs) == set(b.attrs)
            for key in ("lFreq", "hFreq", "rsFreq"):
                assert a.attrs[key] == b.attrs[key] and a.attrs[key].dtype == b.attrs[key].dtype
            assert list(a.attrs["chOrder"]) == list(b.attrs["chOrder"])
            np.testing.assert_array_equal(a[()], values[name])


def test_recordings_come_from_all_files_in_the_given_order(tmp_path: Path) -> None:
    parts = {"b": noise(1000), "a": noise(820), "short": noise(300)}
    names = ["FZ", "CZ", "PZ"]
    write_file(tmp_path / "2.hdf5", {k: signal_of(v, names) for k, v in parts.items()}, RECIPE)
    write_file(tmp_path / "1.hdf5", {"z": signal_of(noise(801), names)}, RECIPE)
    recordings = LabramH5(root=tmp_path, files=["2.hdf5", "1.hdf5"]).recordings()
    assert [(r.path.name, r.name) for r in recordings] == [
        ("2.hdf5", "a"), ("2.hdf5", "b"), ("2.hdf5", "short"), ("1.hdf5", "z"),
    ]  # fmt: skip
    group = read_group(recordings[1].path, "b")
    assert group.channels == ("FZ", "CZ", "PZ") and group.rate_hz == 200
    window = read_samples(group, 100, 900)
    assert window.dtype == np.float64
    np.testing.assert_array_equal(window, parts["b"][:, 100:900])


def test_long_recordings_are_written_in_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5_layout, "STRETCH", 7)
    values = noise(50, 4)
    signal = signal_of(values, list("abcd")).select([2, 0], ["c", "a"])
    write_file(tmp_path / "x.hdf5", {"r": signal}, {})
    group = read_group(tmp_path / "x.hdf5", "r")
    assert group.channels == ("C", "A") and group.samples == 50
    samples = h5_layout.read_samples(group, 0, 50)
    np.testing.assert_array_equal(samples, values[[2, 0]])


def test_the_band_is_what_the_steps_leave() -> None:
    assert band_of(RECIPE, 200.0) == {"lFreq": 0.1, "hFreq": 75.0}
    assert band_of({}, 200.0) == {"lFreq": 0.0, "hFreq": 100.0}
    steps = [{"step": "bandpass", "low_hz": 1.0}, {"step": "bandpass", "high_hz": 300.0}]
    assert band_of({"preprocess": steps}, 200.0) == {"lFreq": 1.0, "hFreq": 100.0}


def test_a_folder_gets_one_file_per_study_channel_set_and_rate(tmp_path: Path) -> None:
    two, other = signal_of(noise(30, 2), ["A", "B"]), signal_of(noise(30, 2), ["A", "C"])
    slow = signal_of(noise(30, 2), ["A", "B"], 99.5)
    rows = [("s", "r1", two), ("s", "r2", other), ("t", "r1", two), ("s", "r3", two)]
    files = write_folder(tmp_path / "new", [*rows, ("s", "r4", slow)], RECIPE)
    names = ["s-2ch-200hz.hdf5", "s-2ch-200hz-2.hdf5", "t-2ch-200hz.hdf5", "s-2ch-99.5hz.hdf5"]
    assert [p.name for p in files] == names
    assert [names_of(p) for p in files] == [["r1", "r3"], ["r2"], ["r1"], ["r4"]]
    assert read_group(files[3], "r4").rate_hz == 99.5


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    first = signal_of(noise(30), ["A", "B", "C"])
    for other, message in [
        (signal_of(noise(30), ["A", "B", "D"]), "other channels or another rate"),
        (signal_of(noise(30), ["A", "B", "C"], 100.0), "other channels or another rate"),
        (signal_of(noise(30), ["A", "B", "C"], unit="fT"), "in fT"),
    ]:
        with pytest.raises(UserError, match=message):
            write_file(path, {"a": first, "b": other}, RECIPE)
    with pytest.raises(UserError, match="leave the slash out"):
        write_file(path, {"a/b": first}, RECIPE)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, signal = tmp_path / "x.hdf5", signal_of(noise(30), ["A", "B", "C"])
    write_file(path, {"old": signal}, RECIPE)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(h5_layout, "_write_group", full)
    with pytest.raises(UserError, match="no space left for"):
        write_file(path, {"new": signal}, RECIPE)
    assert names_of(path) == ["old"] and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_folder(tmp_path / "file", [("s", "r", signal_of(noise(30), list("ABC")))], RECIPE)


def damage(path: Path, how: str) -> None:
    with h5py.File(path, "r+") as file:
        data = file["r"]["eeg"]
        if how == "no data":
            del file["r"]["eeg"]
        elif how == "texts":
            del file["r"]["eeg"]
            file["r"]["eeg"] = [["a", "b"]]
        elif how == "one name too few":
            data.attrs["chOrder"] = ["A", "B"]
        elif how == "rate":
            data.attrs["rsFreq"] = 0
        else:
            del data.attrs[how]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no data", "r: no numbers `eeg`"),
        ("texts", "r: no numbers `eeg`"),
        ("one name too few", "r: 2 names for 3 channels"),
        ("rate", "r: rsFreq is 0"),
        ("chOrder", "r: no attribute chOrder"),
        ("rsFreq", "r: no attribute rsFreq"),
    ],
)
def test_a_recording_that_breaks_the_layout_is_named(
    tmp_path: Path, how: str, message: str
) -> None:
    path = tmp_path / "x.hdf5"
    write_file(path, {"r": signal_of(noise(30), ["A", "B", "C"])}, RECIPE)
    damage(path, how)
    with pytest.raises(RecordingError, match=message):
        read_group(path, "r")


def test_files_that_are_no_hdf5_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    with pytest.raises(RecordingError, match="no such file"):
        names_of(path)
    path.write_bytes(b"no data")
    with pytest.raises(RecordingError, match="no HDF5 file"):
        names_of(path)
    path.write_bytes(PUBLISHED.read_bytes()[:50_000])
    with pytest.raises(RecordingError, match=r"no HDF5 file .*truncated"):
        names_of(path)


def test_no_file_is_open_when_other_processes_begin(tmp_path: Path) -> None:
    """Fault 13: a file that was open before the fork gave its readers each other's bytes."""
    import os

    values = noise(4000)
    write_file(tmp_path / "x.hdf5", {"r": signal_of(values, ["FZ", "CZ", "PZ"])}, RECIPE)
    group = read_group(tmp_path / "x.hdf5", "r")
    np.testing.assert_array_equal(read_samples(group, 300, 400), values[:, 300:400])
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0
    pids = []
    for first in (0, 20):
        pid = os.fork()
        if pid == 0:
            starts = range(100 * first, 100 * first + 2000, 100)
            same = all(
                (read_samples(group, i, i + 100) == values[:, i : i + 100]).all() for i in starts
            )
            os._exit(0 if same else 1)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]

"""Corpora of Temple University Hospital, on miniatures of their folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.data.audit import audit_table
from bm.errors import RecordingError, UserError
from bm.studies import recordings_of
from bm.studies.shared.tuh import ELECTRODES
from bm.studies.tuev import read_rec
from bm.tests.reference.labram_names import input_rows

from ..readers.edf_files import NAMES, recording
from .datasets import dataset, dset

TRAIN = 8  # people


@pytest.fixture(scope="module")
def tuab(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tuab")
    for i in range(TRAIN):
        word = ("normal", "abnormal")[i % 2]
        recording(root / f"tuab/train/{word}/01_tcp_ar/p{i:03d}_s001_t000.edf", 25, i)
    # the first person came again, with another result
    recording(root / "tuab/train/abnormal/01_tcp_ar/p000_s002_t000.edf", 12, 50)
    more = [*NAMES, "EEG EKG1-REF", "IBI", "EEG 26-REF"]
    recording(root / "tuab/eval/normal/01_tcp_ar/q000_s001_t000.edf", 25, 60, more)
    recording(root / "tuab/eval/abnormal/01_tcp_ar/q001_s001_t000.edf", 25, 61)
    recording(root / "tuab/eval/abnormal/01_tcp_ar/q002_s001_t000.edf", 25, 62, NAMES[1:])
    return root


def test_tuab_windows_labels_and_parts(tuab: Path) -> None:
    data = dataset("tuab", tuab)
    assert data.facts.channels == ELECTRODES and data.facts.rate_hz == 200
    assert data.facts.classes == ("normal", "abnormal")
    assert input_rows(data.facts.channels)[:8] == [0, 1, 3, 18, 22, 40, 44, 62]
    assert input_rows(data.facts.channels)[-2:] == [113, 114]
    table = data.table
    assert set(table["length"]) == {2000}
    # 25 s give two windows, 12 s one; a file without a 23rd electrode gives none
    assert len(table) == 2 * TRAIN + 1 + 2 * 2
    assert set(table["subject"][table["split"] == "test"]) == {"q000", "q001"}
    assert (table["session"] == "eval").equals(table["split"] == "test")
    again = table[table["subject"] == "p000"]
    assert set(again["label"]) == {0, 1} and again["split"].nunique() == 1


def test_tuab_signal_is_in_the_published_order(tuab: Path) -> None:
    (one,) = [
        r
        for r in recordings_of([{"study": "tuab"}], {"studies": tuab, "cache": tuab})[0]
        if r.id.subject == "p003"
    ]
    raw = one.load_raw()
    written = np.random.default_rng(3).normal(0, 30, (23, 256 * 25))[::-1]
    assert tuple(raw.ch_names) == ELECTRODES
    np.testing.assert_allclose(1e6 * raw.get_data(), written, atol=0.06)


def test_tuab_split_follows_its_seed_alone(tuab: Path) -> None:
    """Fault 10: no seed, no order, and people on both sides."""
    split = dset("tuab")["split"]
    tables = [
        dataset("tuab", tuab, split={**split, "seed": seed}).table.set_index(["subject", "start"])
        for seed in (0, 0, 1)
    ]
    assert tables[0]["split"].equals(tables[1]["split"])
    assert not tables[0]["split"].equals(tables[2]["split"])
    for table in tables:
        people = table.reset_index()[table.reset_index()["session"] == "train"]
        assert people.groupby("subject")["split"].nunique().max() == 1
        assert {"train", "valid"} == set(people["split"])


def test_tuab_audit_finds_nothing(tuab: Path) -> None:
    data = dataset("tuab", tuab)
    table = data.table.assign(length_s=10.0)
    assert not audit_table(table, [s.events for s in data.signals])


def test_a_person_of_both_parts_is_refused(tuab: Path, tmp_path: Path) -> None:
    recording(tmp_path / "tuab/train/normal/01_tcp_ar/p000_s001_t000.edf", 12, 0)
    recording(tmp_path / "tuab/eval/normal/01_tcp_ar/p000_s002_t000.edf", 12, 1)
    with pytest.raises(UserError, match=r"tears subject tuab\|p000"):
        dataset("tuab", tmp_path)


def write_rec(path: Path, rows: list[tuple[int, float, float, int]]) -> None:
    path.write_text("".join(f"{c},{a},{b},{k}\n" for c, a, b, k in rows))


@pytest.fixture(scope="module")
def tuev(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tuev")
    for i in range(8):
        path = root / f"tuev/train/p{i:03d}/p{i:03d}_00000001.edf"
        recording(path, 20, i)
        rows = [(5, 8.0, 9.0, 6), (2, 0.5, 1.5, 1 + i % 6), (3, 0.5, 1.5, 1 + i % 6)]
        write_rec(path.with_suffix(".rec"), [*rows, (3, 18.7, 19.7, 6), (4, 3.0, 5.0, 4)])
    path = root / "tuev/eval/001/bckg_001_a_.edf"
    recording(path, 20, 70)
    write_rec(path.with_suffix(".rec"), [(1, 4.0, 5.0, 6), (1, 7.0, 8.0, 2)])
    return root


def test_tuev_windows(tuev: Path) -> None:
    data = dataset("tuev", tuev)
    assert data.facts.classes == ("spsw", "gped", "pled", "eyem", "artf", "bckg")
    table = data.table
    assert set(table["length"]) == {1000}
    first = table[table["subject"] == "p000"]
    # in order of time; the event of 2 s is left out; one moment on two channels is there twice
    assert first["start"].tolist() == [100 - 400, 100 - 400, 1200, 3740 - 400]
    assert first["label"].tolist() == [0, 0, 5, 5]
    assert set(table["subject"][table["split"] == "test"]) == {"eval001"}
    signal = data.signals[0].rows(0, data.signals[0].samples).numpy().T
    around = data.gather(first.index.tolist()).signal.numpy()
    wrapped = np.concatenate([signal, signal, signal], 1)
    for window, start in zip(around, first["start"], strict=True):
        begin = start + signal.shape[1]
        np.testing.assert_array_equal(window, wrapped[:, begin : begin + 1000])


def test_tuev_mistakes_are_named(tuev: Path, tmp_path: Path) -> None:
    path = tmp_path / "tuev/train/p000/p000_00000001.edf"
    recording(path, 12, 0)
    (one,), _ = recordings_of([{"study": "tuev"}], {"studies": tmp_path, "cache": tmp_path})
    with pytest.raises(RecordingError, match=r"\.rec: no such file"):
        one.events()
    write_rec(path.with_suffix(".rec"), [(1, 4.0, 5.0, 6), (1, 7.0, 8.0, 9)])
    with pytest.raises(RecordingError, match="line 2 is"):
        read_rec(path.with_suffix(".rec"))
    with pytest.raises(UserError, match=r"no recording in .*nowhere"):
        recordings_of([{"study": "tuev", "path": "nowhere"}], {"studies": tmp_path, "cache": "."})

"""A fault of one recording is named, keeps its traceback in a file, and never ends the others."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bm.data import store as stores
from bm.data.dataset import build_dataset, read_all
from bm.data.faults import of_recording
from bm.data.recording import FailedRecording, RecordingId
from bm.data.scale import Scaler
from bm.data.signal import bare
from bm.data.skipped import report_skipped
from bm.data.split import assign
from bm.data.store import CacheError, Store
from bm.errors import RecordingError, UserError
from bm.studies import build_study

from ..studies import hostile

DSET = {
    "segment": {"kind": "block", "duration_s": 1.0, "stride_s": 1.0, "label": None},
    "split": {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
    "scale": {"kind": "none", "clamp": None},
}


def test_what_nobody_foresaw_is_named_with_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught, of_recording("x.edf", tmp_path):
        raise ZeroDivisionError("division by zero\nsecond line")
    text = str(caught.value)
    assert text.startswith("x.edf: ZeroDivisionError: division by zero second line; leave it out")
    (report,) = (tmp_path / "tracebacks").iterdir()
    assert str(report) in text and "Traceback" in report.read_text()


def test_mistakes_of_the_user_get_the_recordings_name() -> None:
    with pytest.raises(RecordingError) as caught, of_recording("x.edf"):
        raise UserError("crop: 5 to 9 s does not fit; shorten it")
    assert str(caught.value) == (
        "x.edf: crop: 5 to 9 s does not fit; shorten it, or leave this recording out"
    )


def test_a_full_disk_stops_everything() -> None:
    with pytest.raises(OSError, match="full"), of_recording("x.edf"):
        raise OSError(errno.ENOSPC, "full")


def folder_of(tmp_path: Path):
    folder = tmp_path / "lab"
    folder.mkdir()
    hostile.edf(folder / "a.edf", hostile.samples())
    (folder / "b.edf").write_bytes(b"")
    hostile.edf(folder / "c.edf", hostile.samples(1))
    entry = {"study": "folder", "path": str(folder)}
    return folder, build_study(entry, {"studies": tmp_path, "cache": tmp_path / "cache"})


def test_a_repaired_file_leaves_the_list_of_skipped_ones(tmp_path: Path) -> None:
    folder, study = folder_of(tmp_path)
    store, table = Store(tmp_path / "cache"), tmp_path / "cache" / "skipped.tsv"
    assert len(build_dataset(study.recordings(), DSET, store=store).signals) == 2
    assert [line.split("\t")[0] for line in table.read_text().splitlines()[1:]] == [
        str(folder / "b.edf")
    ]
    hostile.edf(folder / "b.edf", hostile.samples(2))
    assert len(build_dataset(study.recordings(), DSET, store=store).signals) == 3
    assert table.read_text().splitlines()[1:] == []


def test_a_filled_cache_that_cannot_be_written_serves_the_good_ones(
    tmp_path: Path, monkeypatch
) -> None:
    folder, study = folder_of(tmp_path)
    store, recordings = Store(tmp_path / "cache"), study.recordings()
    read_all(recordings, DSET, store)

    def refuse(path: Path):
        raise CacheError("paths.cache: cannot write below it; choose another folder")

    monkeypatch.setattr(stores, "locked", refuse)
    signals, readable = read_all(recordings, DSET, store)
    assert len(signals) == 2 and [r.id.run for r in readable] == ["a.edf", "c.edf"]
    hostile.edf(folder / "b.edf", hostile.samples(2))
    with pytest.raises(CacheError):  # what is good and missing has to be written
        read_all(recordings, DSET, store)


def test_strict_stops_at_a_recording_that_failed_while_it_was_listed() -> None:
    error = RecordingError("b.edf", "its name is no UTF-8 text", "rename it")
    failed = FailedRecording(RecordingId("lab", "b", "0", "b"), error)
    with pytest.raises(RecordingError, match=r"b\.edf: its name"):
        read_all([failed], {**DSET, "strict": True}, None)
    with pytest.raises(UserError, match=r"no recording could be read: b\.edf"):
        read_all([failed], DSET, None)


def test_the_list_takes_any_name(tmp_path: Path) -> None:
    errors = [RecordingError("caf\udce9.edf", "odd\tname", "rename\tit")]
    report_skipped(errors, tmp_path / "signals")
    row = (tmp_path / "skipped.tsv").read_text("utf-8").splitlines()[1]
    assert row == "caf\\xe9.edf\todd name\trename it"


def windows(**columns) -> pd.DataFrame:
    return pd.DataFrame({"study": "s", "session": "0", "run": "0", "event_row": 0, **columns})


@pytest.mark.parametrize("values", [["01"], [1], ["sub-01"], "01"])
def test_fixed_splits_understand_how_people_write_ids(values) -> None:
    split = {"key": "subject", "seed": 0, "ratios": {"train": 1.0}}
    table = windows(subject=["01", "02", "10"])
    splits = assign(table, {**split, "fixed": {"test": {"subject": values}}})
    assert splits.tolist() == ["test", "train", "train"]


def test_fixed_splits_that_name_nobody_are_refused() -> None:
    split = {"key": "subject", "seed": 0, "ratios": {"train": 1.0}}
    with pytest.raises(UserError, match=r"'eval' selects nothing; there is: 0"):
        assign(windows(subject=["01"]), {**split, "fixed": {"test": {"session": ["eval"]}}})


def test_a_channel_set_that_never_trains_is_scaled_by_training_data(caplog) -> None:
    rng = np.random.default_rng(0)
    train, test = (torch.from_numpy(rng.normal(m, s, (500, 2))) for m, s in ((3, 2), (50, 9)))
    signals = [bare(train), bare(test)]
    rows = {"recording": [0, 1], "start": 0, "length": 500, "split": ["train", "test"]}
    scaler = Scaler("zscore", None)
    scaler.fit(signals, pd.DataFrame(rows), [0, 1])
    assert torch.allclose(scaler.centres[1], scaler.centres[0])
    assert torch.allclose(scaler.scales[1], scaler.scales[0])
    assert "channel set that never trains" in caplog.text


def test_robust_scaling_leaves_out_windows_that_do_not_train() -> None:
    data = torch.cat([torch.randn(500, 1), 100 + torch.randn(500, 1)])
    rows = {"recording": 0, "start": [0, 500], "length": 500, "split": ["train", "test"]}
    scaler = Scaler("robust", None)
    scaler.fit([bare(data)], pd.DataFrame(rows), [0])
    assert abs(float(scaler.centres[0])) < 0.5

"""Store: built once, read as a memory map, never half-written, never stale."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from bm.data import store as store_module
from bm.data.dataset import build_dataset
from bm.data.recording import Recording, RecordingId
from bm.data.store import Store, in_memory, recipe_of
from bm.data.stored import NUMBERS, PAGE, numbers_of
from bm.data.stretches import Stretch
from bm.errors import RecordingError, UserError
from bm.readers.montage import standard_montage

RECIPE: dict = {"preprocess": [], "rate_hz": None}
RATE, SECONDS, NAMES = 100.0, 20, ["C3", "Cz", "C4"]


class Saved(Recording):
    """A recording in a .npy file of microvolts."""

    def __init__(self, path: Path, subject: str = "s0", builds: Path | None = None) -> None:
        self.id = RecordingId("saved", subject, "0", "0")
        self.source, self.builds = (str(path),), builds

    def load_raw(self):
        import mne

        if self.builds is not None:
            with open(self.builds, "a") as file:
                file.write("x")
            time.sleep(0.2)
        info = mne.create_info(NAMES, RATE, "eeg")
        raw = mne.io.RawArray(np.load(self.source[0]) * 1e-6, info, verbose="error")
        return raw.set_montage(standard_montage("standard_1020"), verbose="error")

    def events(self):
        rows = [
            ("block", 0.0, float(SECONDS), None),
            ("trial", 1.0, 2.0, 1),
            ("trial", 0.1 + 0.2, 2.0, 0),
        ]
        return pd.DataFrame(rows, columns=["kind", "start_s", "duration_s", "label"])

    def fingerprint(self):
        return "saved"


@pytest.fixture
def recording(tmp_path: Path) -> Saved:
    values = np.random.default_rng(0).standard_normal((3, int(RATE * SECONDS))).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    return Saved(tmp_path / "a.npy", builds=tmp_path / "builds")


def test_what_comes_out_is_what_went_in(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    stored, direct = store.get(recording, RECIPE), in_memory(recording, RECIPE)
    assert torch.equal(stored.data, direct.data) and stored.identity == direct.identity
    assert stored.channels == tuple(NAMES) and stored.unit == "uV" and stored.rate_hz == RATE
    np.testing.assert_array_equal(stored.positions, direct.positions)
    pd.testing.assert_frame_equal(stored.events, direct.events)
    assert stored.events["start_s"].tolist()[2] == 0.1 + 0.2  # to the last bit
    np.testing.assert_allclose(
        stored.data.numpy().T, np.load(recording.source[0]), atol=1e-5, rtol=1e-6
    )


def test_file_says_what_it_is(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get(recording, RECIPE)
    with h5py.File(store.path(recording, RECIPE)) as file:
        data = file["signal"]
        assert data.dtype == "<f4" and data.chunks is None and data.compression is None
        assert data.id.get_offset() % PAGE == 0
        assert data.attrs["unit"] == "uV" and data.attrs["rate_hz"] == RATE
        header = json.loads(file["header"][()])
        assert [c.decode() for c in file["channels"]] == NAMES
    assert header["recipe"] == RECIPE and len(header["sources"][0]["sha256"]) == 64
    assert header["version"] and header["recording"]["subject"] == "s0"


def test_second_request_reads_no_source(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(3):
        store.get(recording, RECIPE)
    assert recording.builds.read_text() == "x"
    # another time, same content: hashed, kept
    os.utime(recording.source[0], (1, 1))
    store.get(recording, RECIPE)
    Store(tmp_path, verify=True).get(recording, RECIPE)
    assert recording.builds.read_text() == "x"
    np.save(recording.source[0], 2 * np.load(recording.source[0]))
    changed = store.get(recording, RECIPE)
    assert recording.builds.read_text() == "xx"
    assert changed.identity != "" and torch.equal(changed.data, in_memory(recording, RECIPE).data)


def test_verify_sees_a_change_that_size_and_time_hide(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    before = store.get(recording, RECIPE)
    status = os.stat(recording.source[0])
    np.save(recording.source[0], 3 * np.load(recording.source[0]))
    os.utime(recording.source[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.get(recording, RECIPE).identity == before.identity
    assert Store(tmp_path, verify=True).get(recording, RECIPE).identity != before.identity


def test_another_recipe_is_another_file(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    slow = recipe_of({"rate_hz": 50.0})
    assert store.get(recording, slow).samples == SECONDS * 50
    assert store.path(recording, slow) != store.path(recording, RECIPE)


def fork(function) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return pid


def test_eight_processes_build_once(recording: Saved, tmp_path: Path) -> None:
    def ask() -> None:
        assert Store(tmp_path / "c").get(recording, RECIPE).samples == RATE * SECONDS

    pids = [fork(ask) for _ in range(8)]
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    assert recording.builds.read_text() == "x"


@pytest.mark.parametrize("place", ["make_signal", "write_stored", "replace"])
def test_a_killed_build_leaves_nothing_that_anyone_reads(recording, tmp_path, monkeypatch, place):
    store = Store(tmp_path / "c")
    owner = os if place == "replace" else store_module
    real = getattr(owner, place)

    def dies(*arguments):
        if place == "write_stored":
            real(*arguments)  # written, not yet renamed
            with open(arguments[0], "r+b") as file:
                file.truncate(5000)
        os.kill(os.getpid(), signal.SIGKILL)

    def attempt() -> None:
        monkeypatch.setattr(owner, place, dies)
        store.get(recording, RECIPE)

    _, status = os.waitpid(fork(attempt), 0)
    assert os.WIFSIGNALED(status)
    assert not store.path(recording, RECIPE).exists()
    assert torch.equal(store.get(recording, RECIPE).data, in_memory(recording, RECIPE).data)
    assert not list((tmp_path / "c").rglob("*.tmp"))


def test_a_damaged_file_is_built_again(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    good = store.get(recording, RECIPE).data.clone()
    path = store.path(recording, RECIPE)
    path.write_bytes(path.read_bytes()[:3000])
    assert torch.equal(store.get(recording, RECIPE).data, good)


def test_a_full_disk_says_so_and_leaves_nothing(recording, tmp_path, monkeypatch) -> None:
    def full(path: Path, *arguments) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "write_stored", full)
    with pytest.raises(UserError, match=r"no space left in .*BM_CACHE"):
        Store(tmp_path / "c").get(recording, RECIPE)
    assert not list((tmp_path / "c").rglob("*.tmp")) + list((tmp_path / "c").rglob("*.h5"))


def test_a_cache_that_cannot_be_written_is_named(recording: Saved, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"paths\.cache: cannot write"):
        Store(tmp_path / "file").get(recording, RECIPE)


def test_bad_values_and_missing_files_are_named(recording: Saved, tmp_path: Path) -> None:
    values = np.load(recording.source[0])
    values[1, 7] = np.nan
    np.save(recording.source[0], values)
    with pytest.raises(RecordingError, match="Cz holds NaN"):
        Store(tmp_path).get(recording, RECIPE)
    os.unlink(recording.source[0])
    with pytest.raises(RecordingError, match="no such file"):
        Store(tmp_path).get(recording, RECIPE)


def test_maps_hold_no_descriptor(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    held = [store.get(recording, RECIPE) for _ in range(200)]
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert held[-1].rows(5, 10).shape == (10, 3)


def test_writing_into_a_batch_never_reaches_the_file(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    stored = store.get(recording, RECIPE)
    before = store.path(recording, RECIPE).read_bytes()
    stored.rows(0, 50).zero_()
    assert store.path(recording, RECIPE).read_bytes() == before


DSET = {
    "studies": [], "strict": False, "preprocess": [], "channels": None, "rate_hz": None,
    "segment": {"kind": "trial", "offset_s": 0.0, "duration_s": 1.0, "stride_s": None,
                "label": "label"},
    "split": {"key": "trial", "seed": 0, "ratios": {"train": 1.0}, "fixed": {}},
    "scale": {"kind": "zscore", "clamp": None},
}  # fmt: skip


def test_data_hash_is_the_same_cold_warm_and_in_memory(recording: Saved, tmp_path: Path) -> None:
    store = Store(tmp_path)
    hashes = {build_dataset([recording], DSET, store=s).hash for s in (store, store, None)}
    assert len(hashes) == 1
    np.save(recording.source[0], 1.5 * np.load(recording.source[0]))
    assert build_dataset([recording], DSET, store=store).hash not in hashes


def test_bad_recordings_are_skipped_named_and_kept_in_a_list(recording, tmp_path, caplog) -> None:
    missing = Saved(tmp_path / "missing.npy", "s1")
    store = Store(tmp_path / "c")
    data = build_dataset([recording, missing], DSET, store=store)
    assert len(data.signals) == 1 and "missing.npy: no such file" in caplog.text
    rows = (tmp_path / "c" / "skipped.tsv").read_text().splitlines()
    assert len(rows) == 2 and rows[1].split("\t")[0].endswith("missing.npy")
    with pytest.raises(RecordingError, match="missing"):
        build_dataset([missing, recording], {**DSET, "strict": True}, store=store)


def test_selected_channels_are_gathered_from_the_whole(recording: Saved, tmp_path: Path) -> None:
    whole = build_dataset([recording], DSET)
    some = build_dataset([recording], {**DSET, "channels": ["C4", "C3"]}, store=Store(tmp_path))
    assert some.facts.channels == ("C4", "C3") and len(some.facts.scaler["scale"]) == 2
    rows = [0, 1]
    torch.testing.assert_close(some.gather(rows).signal, whole.gather(rows).signal[:, [2, 0]])
    np.testing.assert_array_equal(
        some.gather(rows).positions[0], whole.gather(rows).positions[0][[2, 0]]
    )


@pytest.mark.parametrize("limit", [1 << 28, 0])
def test_changed_bytes_of_stored_samples_are_noticed(
    recording: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Those of large caches are noticed by verify=true alone."""
    store = Store(tmp_path)
    before = store.get(recording, RECIPE).data.clone()
    path = store.path(recording, RECIPE)
    with h5py.File(path) as file:
        place = file["signal"].id.get_offset() + 4 * 37 + 3
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(content)
    monkeypatch.setattr("bm.data.store.CHECKED", limit)
    assert torch.equal(Store(tmp_path).get(recording, RECIPE).data, before) == bool(limit)
    assert torch.equal(Store(tmp_path, verify=True).get(recording, RECIPE).data, before)
    assert recording.builds.read_text() == "xx"


def test_only_signals_resampled_in_pieces_are_told_apart() -> None:
    join, trial, bad = (
        Stretch(1, 1, "EDGE boundary"),
        Stretch(2, 2, "EDGE trial"),
        Stretch(3, 4, "BAD"),
    )
    resampled = ({"rate_hz": 100.0}, {"preprocess": [{"step": "resample", "rate_hz": 100.0}]})
    for recipe in resampled:
        assert numbers_of(recipe, [trial, bad]) == numbers_of(recipe, []) == NUMBERS
        assert numbers_of(recipe, [bad, join]) != NUMBERS
    assert numbers_of({"rate_hz": None, "preprocess": []}, [join]) == NUMBERS


def test_what_is_prepared_is_named_once_in_a_while(
    recording: Saved,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Symptom: a run that prepared a long recording printed nothing for minutes."""
    caplog.set_level("INFO", logger="bm.data.store")
    store = Store(tmp_path)
    for rate in (50.0, 60.0):
        store.get(recording, {**RECIPE, "rate_hz": rate})
    store.get(recording, {**RECIPE, "rate_hz": 50.0})
    assert [line for line in caplog.messages if line.startswith("preparing")] == [
        f"preparing {recording.source[0]} (once; the cache keeps it)"
    ]
    monkeypatch.setattr("bm.data.store.EVERY_S", 0.0)
    store.get(recording, {**RECIPE, "rate_hz": 70.0})
    assert sum(line.startswith("preparing") for line in caplog.messages) == 2

"""Identity by content: copies are found whatever they are called, cut or scaled; others are not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from bm.data.content import Content, find_copies, landmarks
from bm.data.dataset import build_dataset
from bm.data.signal import Signal, bare
from bm.data.store import Store
from bm.errors import UserError
from bm.studies.folder import Folder

from .noise_files import NAMES, RATE, dset, noise, write


def signal(x: np.ndarray, names: tuple[str, ...] = NAMES) -> Signal:
    data = torch.from_numpy(np.ascontiguousarray(x, np.float32))
    keys, times = landmarks(data, names, RATE)
    content = Content("", "", "a", keys=keys, times_s=times)
    return replace(bare(data, RATE), channels=names, content=content)


@pytest.mark.parametrize(
    ("change", "shift_s"),
    [
        (lambda x: -3.7 * x + 50, 0.0),
        (lambda x: np.round(x / 0.5) * 0.5, 0.0),  # a 16-bit file of a coarse amplifier
        (lambda x: x[20 * RATE : 45 * RATE], 20.0),
        (lambda x: x[:, ::-1], 0.0),
        (lambda x: np.concatenate([noise(10, 9), x[30 * RATE :]]), 20.0),
    ],
)
def test_a_near_copy_is_found_with_its_shift(change: Any, shift_s: float) -> None:
    x = noise(60, 1)
    names = NAMES[::-1] if change(x)[0, 0] == x[0, -1] else NAMES
    (copy,) = find_copies([signal(x), signal(change(x), names)])
    assert (copy.first, copy.second, copy.reason) == (0, 1, "the same signal")
    assert copy.shift_s == pytest.approx(shift_s, abs=0.01)


def test_a_near_copy_whose_names_went_to_other_channels_is_found() -> None:
    x = noise(60, 1)
    (copy,) = find_copies([signal(x), signal(-2 * x[5 * RATE :, ::-1])])
    assert copy.near and copy.shift_s == pytest.approx(5.0, abs=0.01)


def test_other_recordings_are_no_copies_even_with_a_common_rhythm() -> None:
    rhythm = 30 * np.sin(2 * np.pi * 10 * np.arange(60 * RATE) / RATE)[:, None]
    assert find_copies([signal(noise(60, seed) + rhythm) for seed in range(6)]) == []


def test_one_channel_in_common_is_no_copy() -> None:
    one, other = noise(60, 1), noise(60, 2)
    other[:, 0] = one[:, 0]
    assert find_copies([signal(one), signal(other)]) == []


def test_a_copy_under_another_name_is_refused_or_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a_raw.fif", 1)
    shutil.copy(tmp_path / "a_raw.fif", tmp_path / "b_raw.fif")
    write(tmp_path / "c_raw.fif", 2)
    recordings = Folder(path=str(tmp_path)).recordings()
    with pytest.raises(UserError, match=r"b_raw\.fif .* is the same file as .*a_raw\.fif"):
        build_dataset(recordings, dset())
    data = build_dataset(recordings, dset(duplicates="keep_first"))
    assert sorted(set(data.table["subject"])) == ["a_raw", "c_raw"]
    with pytest.raises(UserError, match="keep_first"):
        build_dataset(recordings, dset(duplicates="keep_frist"))


def near_copies(folder: Path) -> Any:
    """Write a, b = a with another gain and order of channels, c = the last 20 s of a, and d."""
    import mne

    raw = mne.io.read_raw_fif(write(folder / "a_raw.fif", 1), preload=True, verbose="error")
    other = raw.copy().apply_function(lambda x: x * 1.5, picks="all", verbose="error")
    other.reorder_channels(NAMES[::-1]).save(folder / "b_raw.fif", verbose="error")
    raw.copy().crop(10.0).save(folder / "c_raw.fif", verbose="error")
    write(folder / "d_raw.fif", 2)
    return Folder(path=str(folder)).recordings()


def test_near_copies_stay_together(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recordings = near_copies(tmp_path)
    assert len(build_dataset(recordings, dset()).signals) == 4
    assert "near-copies of others" in caplog.text and "10.00 s later" in caplog.text
    for torn in ("b_raw", "c_raw"):
        split = {**dset()["split"], "fixed": {"test": {"subject": [torn]}}}
        with pytest.raises(UserError, match=rf"{torn}\.fif .* in different splits: [24] windows"):
            build_dataset(recordings, dset(split=split))
        data = build_dataset(recordings, dset(duplicates="keep_first"))
        assert sorted(set(data.table["subject"])) == ["a_raw", "d_raw"]
    # Other stretches of one signal may be in different splits, as they may of one recording.
    split = {**dset()["split"], "key": "trial", "fixed": {"test": {"start_s": ["2.0", "6.0"]}}}
    split["fixed"]["test"]["subject"] = ["a_raw", "b_raw"]
    assert len(build_dataset(recordings, dset(split=split)).rows("test")) == 4


def test_one_folder_as_two_studies_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a_raw.fif", 1)
    both = [r for name in ("x", "y") for r in Folder(path=str(tmp_path), name=name).recordings()]
    with pytest.raises(UserError, match="the same file"):
        build_dataset(both, dset())


def brainvision(folder: Path, data: str, seed: int) -> None:
    """A header whose samples have another name, in a folder below."""
    (folder / data).parent.mkdir(parents=True, exist_ok=True)
    (folder / data).write_bytes(np.round(noise(30, seed) / 0.1).astype("<i2").tobytes())
    channels = "".join(f"Ch{i + 1}={n},,0.1,uV\n" for i, n in enumerate(NAMES))
    (folder / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data}\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=4\n"
        f"SamplingInterval={1e6 / RATE:g}\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n"
        f"[Channel Infos]\n{channels}"
    )


def test_all_files_that_the_reader_opens_are_watched(tmp_path: Path) -> None:
    brainvision(tmp_path / "data", "SAMPLES.EEG", 1)
    store = Store(tmp_path / "cache")
    (recording,) = Folder(path=str(tmp_path / "data")).recordings()
    first = store.get(recording, {}).data.clone()
    brainvision(tmp_path / "data", "SAMPLES.EEG", 2)
    (again,) = Folder(path=str(tmp_path / "data")).recordings()
    assert not torch.equal(store.get(again, {}).data, first)


def test_verify_hashes_the_stored_samples(tmp_path: Path) -> None:
    write(tmp_path / "data" / "a_raw.fif", 1)
    (recording,) = Folder(path=str(tmp_path / "data")).recordings()
    store = Store(tmp_path / "cache")
    whole = store.get(recording, {}).data.clone()
    path = store.path(recording, {})
    with h5py.File(path) as file:
        offset = file["signal"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[offset + 400 : offset + 404] = np.float32(1e3).tobytes()
    path.write_bytes(content)
    assert store.fresh(recording, path) is not None  # size and time of the sources are trusted
    verified = Store(tmp_path / "cache", verify=True)
    assert verified.fresh(recording, path) is None
    assert torch.equal(verified.get(recording, {}).data, whole)

"""Only numbers that lie in a file itself are read from it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bm.data.hdf5 import dataset_of
from bm.errors import RecordingError
from bm.readers.labram_h5 import read_group

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def describe(data: h5py.Dataset) -> None:
    data.attrs["chOrder"], data.attrs["rsFreq"] = ["A", "B", "C"], 200.0


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file that nobody meant to read."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        describe(file.create_dataset("r/eeg", data=VALUES))
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    return tmp_path / "other.h5"


def link_data(file: h5py.File, other: Path) -> None:
    file.create_group("r")["eeg"] = h5py.ExternalLink(str(other), "r/eeg")


def link_group(file: h5py.File, other: Path) -> None:
    file["r"] = h5py.ExternalLink(str(other), "r")


def link_twice(file: h5py.File, other: Path) -> None:
    file["far"] = h5py.ExternalLink(str(other), "r")
    file.create_group("r")["eeg"] = h5py.SoftLink("/far/eeg")


def store_outside(file: h5py.File, other: Path) -> None:
    place = [(str(other.with_name("secret")), 0, h5py.h5f.UNLIMITED)]
    describe(file.create_dataset("r/eeg", (3, 4), "f4", external=place))


def put_together(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource(str(other), "r/eeg", (3, 4))
    describe(file.create_virtual_dataset("r/eeg", layout))


@pytest.mark.parametrize("make", [link_data, link_group, link_twice, store_outside, put_together])
def test_bytes_of_another_file_are_not_read(tmp_path: Path, other: Path, make) -> None:
    """Symptom: a file in LaBraM's layout could hand out any file of the machine as samples."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        make(file, other)
    with pytest.raises(RecordingError, match="which is not followed"):
        read_group(path, "r")


def test_numbers_of_the_file_are_read_through_links_within_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x/eeg"] = VALUES
        file["r"] = h5py.SoftLink("/x")
        file["gone"] = h5py.SoftLink("/nowhere")
    with h5py.File(tmp_path / "a.h5") as file:
        data = dataset_of(file, "r/eeg")
        assert data is not None and np.array_equal(data[()], VALUES)
        assert dataset_of(file, "gone/eeg") is None and dataset_of(file, "x") is None
        assert dataset_of(file, "x/eeg/more") is None

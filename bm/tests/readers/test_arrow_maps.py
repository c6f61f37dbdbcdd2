"""Arrow folders of maps: there and back, the original's own without shape, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from bm.errors import UserError
from bm.readers.arrow_maps import INFO, MapSplit, read_maps, write_maps
from bm.train import main
from scripts._arguments import main_of
from scripts.arrow_maps import command

IMAGES = np.random.default_rng(0).normal(size=(70, 2, 3, 4))
COLUMNS = {
    "label": [1] * 70,
    "subjects": ["mixed"] * 70,
    "target_ids": [[1, 2, 3]] * 70,
    "input_masks": [[1.0, 0.0]] * 70,
    "seq_len": [2] * 70,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    splits = {"train": MapSplit(IMAGES, COLUMNS), "test": MapSplit(IMAGES[:3])}
    write_maps(tmp_path / "maps", splits, {"hop": 25})
    return tmp_path / "maps"


def forget(folder: Path) -> None:
    """Leave the files as the original writes them."""
    for path in folder.rglob(INFO):
        path.write_text(json.dumps({"features": json.loads(path.read_text())["features"]}))


def test_there_and_back(folder: Path) -> None:
    splits = read_maps(folder)
    assert set(splits) == {"train", "test"} and splits["test"].columns == {}
    np.testing.assert_array_equal(splits["train"].images, IMAGES)
    assert splits["train"].columns == COLUMNS


def test_the_originals_need_shape_and_type(folder: Path) -> None:
    forget(folder)
    np.testing.assert_array_equal(
        read_maps(folder, (2, 3, 4), "float64")["test"].images, IMAGES[:3]
    )
    # complex64 has the size of float64: only who knows reads it right
    assert read_maps(folder, (2, 3, 4), "complex64")["test"].images.dtype == np.complex64
    for arguments, message in [
        ((None, None), "say neither shape nor type"),
        (((2, 3, 5), "float64"), "an image has 192 bytes, .* are 240"),
        (((2, 3, 4), "float32"), "are 96"),
        (((2, 3, 4), "flot"), "no type of numbers"),
    ]:
        with pytest.raises(UserError, match=message):
            read_maps(folder, *arguments)


def test_bad_folders_are_one_line(folder: Path) -> None:
    with pytest.raises(UserError, match="no Arrow folder"):
        read_maps(folder / "train")
    next(folder.rglob("test/*.arrow")).write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        read_maps(folder)
    with pytest.raises(UserError, match="no column 'colour'"):
        write_maps(folder, {"train": MapSplit(IMAGES, {"colour": [1] * 70})}, {})
    assert (folder / "train").exists()


def test_the_script_writes_and_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main.dora, "dir", str(tmp_path))
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    words = ["solver=eegdiff/debug", "model=eegdiff/small_mel"]
    assert main_of(command, [f"to={tmp_path}/maps"], overrides=words) == 0
    arguments = [f"source={tmp_path}/maps", f"to={tmp_path}/maps.h5"]
    assert main_of(command, arguments, overrides=()) == 0
    with h5py.File(tmp_path / "maps.h5") as file:
        images = file["train/images"]
        assert images.shape[1:] == (22, 38, 32) and images.dtype == np.float64
        assert images[()].min() == 0 and images[()].max() <= 80
    assert "train:" in capsys.readouterr().out
    assert main_of(command, ["to=x"], overrides=()) == 2

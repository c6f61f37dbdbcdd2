"""What published options choose: people, removed blocks, other windows for the test."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from bm.data.dataset import Dataset
from bm.errors import UserError
from bm.solvers.windows import windows_of
from bm.tests.studies import stories

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("brennan")
    stories.brennan(root, ("S01", "S03", "S04"))
    return root


def dataset(root: Path, **changes) -> Dataset:
    dset = yaml.safe_load((ROOT / "conf/dset/brennan2019.yaml").read_text())
    dset["features"] = None
    dset["studies"] = [{"study": "brennan2019", "min_block_s": 3.5}]
    dset["split"]["ratios"] = {"train": 0.6, "valid": 0.0, "test": 0.4}
    dset |= changes
    paths = {"studies": str(root), "cache": str(root / "cache"), "models": str(root)}
    return windows_of(OmegaConf.create({"dset": dset, "paths": paths}))


def people(data: Dataset, split: str) -> list[str]:
    return sorted(set(data.table["subject"][data.table["split"] == split]))


def test_numbers_of_people_are_applied(root: Path) -> None:
    data = dataset(root, n_subjects=2, n_subjects_test=1)
    assert people(data, "train") == ["S01", "S03"] and people(data, "test") == ["S01"]
    assert people(dataset(root), "train") == ["S01", "S03", "S04"]
    with pytest.raises(UserError, match="n_subjects=0"):
        dataset(root, n_subjects=0)


def test_recordings_are_skipped_and_counted(root: Path) -> None:
    assert people(dataset(root, skip_recordings=1, n_recordings=1), "train") == ["S03"]


def test_removed_blocks_leave_the_other_splits_alone(root: Path) -> None:
    whole, less = dataset(root), dataset(root, remove_ratio=0.21)
    blocks = [
        {s: set(d.table["block_uid"][d.table["split"] == s]) for s in ("train", "test")}
        for d in (whole, less)
    ]
    assert blocks[0]["test"] == blocks[1]["test"]
    assert blocks[1]["train"] < blocks[0]["train"] and whole.hash != less.hash
    with pytest.raises(UserError, match=r"remove_ratio=0\.9"):
        dataset(root, remove_ratio=0.9)


def test_windows_of_the_test_are_at_words(root: Path) -> None:
    table = dataset(root).table
    test, train = table[table["split"] == "test"], table[table["split"] == "train"]
    assert (test["event_row"] >= 0).all() and (train["event_row"] == -1).all()
    with pytest.raises(UserError, match="another length"):
        dataset(root, segment_test={"kind": "word", "stride_s": None, "duration_s": 1.0})

"""What published options choose: people, removed blocks, other windows for the test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from bm.data.dataset import Dataset
from bm.errors import UserError
from bm.solvers.build_data import windows_of
from bm.tests.studies import stories

from ..shipped import section


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("brennan")
    stories.brennan(root, ("S01", "S03", "S04"))
    return root


def dataset(root: Path, **changes) -> Dataset:
    dset = section("dset", "brennan2019")
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


def two_studies(root: Path, **changes) -> Dataset:
    if not (root / "broderick2019").exists():
        stories.broderick(root, (1,), 2)
    other = {"study": "broderick2019", "min_matches": 3, "sentences": "punctuation"}
    both = [{"study": "brennan2019", "min_block_s": 3.5}, {**other, "min_block_s": 3.0}]
    return dataset(root, studies=both, **changes)


def test_recordings_of_two_studies_take_turns(root: Path) -> None:
    signals = two_studies(root).signals
    assert [len(signal.channels) for signal in signals] == [60, 128, 60, 128, 60]
    one_by_one = two_studies(root, interleave=False).signals
    assert [len(signal.channels) for signal in one_by_one] == [60, 60, 60, 128, 128]


def test_channels_are_padded_with_zeros_without_a_place(root: Path) -> None:
    shared, padded = two_studies(root), two_studies(root, channels="padded")
    assert set(shared.layout) == {0, 1} and set(padded.layout) == {0}
    assert padded.facts.n_channels == 128 and len(padded.facts.vocabulary) == 128
    table = padded.table
    small = table.index[table["recording"] == 0][:2].tolist()
    large = table.index[table["recording"] == 1][:2].tolist()
    batch = padded.gather([*small, *large])
    assert batch.signal.shape == (4, 128, 361)
    assert (batch.signal[:2, 60:] == 0).all() and (batch.positions[:2, 60:, :2] == -0.1).all()
    assert batch.channel_mask.sum(1).tolist() == [60, 60, 128, 128]
    torch.testing.assert_close(batch.signal[:2, :60], shared.gather(small).signal)
    torch.testing.assert_close(batch.signal[2:], shared.gather(large).signal)
    torch.testing.assert_close(batch.positions[2:], shared.gather(large).positions)
    alike = dataset(root, channels="padded")  # one study: nothing to pad, names stay
    assert alike.facts.channels == dataset(root).facts.channels
    with pytest.raises(UserError, match="did you mean 'padded'"):
        dataset(root, channels="pade")

"""Trials that were cut twice, or with an overlap, may not be torn over splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bm.data.dataset import Dataset, build_dataset
from bm.data.trial_copies import overlapping, shared_samples
from bm.errors import UserError
from bm.studies import build_study

from .noise_files import dset, noise


def trials(count: int, seed: int = 0, length: int = 100) -> np.ndarray:
    """(n, C, T) uV."""
    return noise(count * length / 200, seed).T.reshape(4, count, length).swapaxes(0, 1)


def sliding(count: int, step: int, length: int = 100) -> np.ndarray:
    """(n, C, T) windows of one recording that overlap by length - step samples."""
    whole = noise((count * step + length) / 200, 3).T
    return np.stack([whole[:, i * step : i * step + length] for i in range(count)])


def read(folder: Path, **split: Any) -> Dataset:
    entry = {"study": "arrays", "path": str(folder), "rate_hz": 200, "unit": "uV"}
    recordings = build_study(entry, {"studies": folder, "cache": folder}).recordings()
    segment = {"kind": "trial", "duration_s": 0.5, "label": "label"}
    return build_dataset(recordings, dset(segment=segment, split={**dset()["split"], **split}))


TORN = {"key": "trial", "ratios": {"train": 0.5, "test": 0.5}}


def test_other_trials_share_nothing() -> None:
    assert len(set(shared_samples(trials(30).swapaxes(1, 2)))) == 30
    flat = trials(30).swapaxes(1, 2).copy()
    flat[:, 40:60] = 0  # silent in all channels
    assert overlapping(flat) == []


def test_equal_and_overlapping_trials_are_one_group(tmp_path: Path) -> None:
    twice = np.concatenate([trials(5), trials(5)]).swapaxes(1, 2)
    words = shared_samples(np.ascontiguousarray(twice, np.float32))
    assert words[:5] == words[5:] and len(set(words)) == 5
    chain = np.ascontiguousarray(sliding(10, 50).swapaxes(1, 2), np.float32)
    assert len(set(shared_samples(chain))) == 1
    draw = np.random.default_rng(0).permutation(10)
    assert len(set(shared_samples(chain[draw]))) == 1


@pytest.mark.parametrize("x", [np.concatenate([trials(10), trials(10)]), sliding(20, 50)])
def test_torn_trials_are_refused(x: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=x, y=np.arange(20) % 2)
    with pytest.raises(UserError, match=r"hold the same samples.*dset.split.key=recording"):
        read(tmp_path, **TORN)
    assert len(read(tmp_path).table) == 20  # all of them train


def test_trials_of_another_person_in_another_order(tmp_path: Path) -> None:
    draw = np.random.default_rng(1).permutation(12)
    np.savez(tmp_path / "a.npz", X=trials(12), y=np.arange(12) % 2)
    np.savez(tmp_path / "b.npz", X=trials(12)[draw], y=(np.arange(12) % 2)[draw])
    with pytest.raises(UserError, match="hold the same samples, and 11 more groups"):
        read(tmp_path, fixed={"test": {"subject": ["b"]}})


def test_a_published_split_with_a_training_trial_in_the_test(tmp_path: Path) -> None:
    x, y = trials(12), np.arange(12) % 2
    np.savez(tmp_path / "x.npz", X_train=x, y_train=y, X_test=x[[3, 7]], y_test=y[[3, 7]])
    with pytest.raises(UserError, match=r"\(train\) and trial .* \(test\) hold the same"):
        read(tmp_path, key="trial")

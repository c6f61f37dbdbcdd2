"""The guard: another configuration or other data is never continued in silence."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.train import main
from bm.xp import guard

CONFIG = {"optim.lr": 0.1, "optim.betas": [0.9, 0.999], "seed": 0, "nan": float("nan"), "x": {}}


def stored(folder: Path) -> dict:
    return json.loads((folder / guard.NAME).read_text())


def test_first_run_records_everything(tmp_path: Path) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    record = stored(tmp_path)
    assert record["data_hash"] == "abc"
    assert record["config"]["optim.betas"] == [0.9, 0.999]
    assert {"commit", "uncommitted", "versions"} <= set(record)
    assert record["versions"]["torch"]
    assert [p.name for p in tmp_path.iterdir()] == [guard.NAME]  # nothing half-written beside it


def test_same_again_is_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    before = stored(tmp_path)
    guard.check(tmp_path, {**CONFIG, "optim.betas": (0.9, 0.999)}, "abc", False)
    assert not caplog.records
    assert repr(stored(tmp_path)) == repr(before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optim.lr": 0.2}, "optim.lr: 0.1 -> 0.2"),
        ({"optim.betas": [0.9]}, "optim.betas: [0.9, 0.999] -> [0.9]"),
        ({"seed": None}, "seed: 0 -> None"),
        ({"x": 3}, "x: {} -> 3"),
    ],
)
def test_other_value_is_refused(tmp_path: Path, change: dict, words: str) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    before = (tmp_path / guard.NAME).read_bytes()
    with pytest.raises(UserError) as caught:
        guard.check(tmp_path, {**CONFIG, **change}, "abc", False)
    assert words in str(caught.value)
    assert "allow_change=true" in str(caught.value)
    assert (tmp_path / guard.NAME).read_bytes() == before


def test_removed_key_is_refused(tmp_path: Path) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    with pytest.raises(UserError, match=r"seed: 0 -> \(absent\)"):
        guard.check(tmp_path, {k: v for k, v in CONFIG.items() if k != "seed"}, "abc", False)


@pytest.mark.parametrize("other", ["xyz", None])
def test_other_data_are_refused(tmp_path: Path, other: str | None) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    with pytest.raises(UserError, match="data: abc -> "):
        guard.check(tmp_path, CONFIG, other, False)


def test_added_key_is_recorded_and_then_held(tmp_path: Path) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    guard.check(tmp_path, {**CONFIG, "new": 1}, "abc", False)
    assert stored(tmp_path)["config"]["new"] == 1
    with pytest.raises(UserError, match="new: 1 -> 2"):
        guard.check(tmp_path, {**CONFIG, "new": 2}, "abc", False)


def test_data_hash_is_recorded_when_it_was_unknown(tmp_path: Path) -> None:
    guard.check(tmp_path, CONFIG, None, False)
    guard.check(tmp_path, CONFIG, "abc", False)
    assert stored(tmp_path)["data_hash"] == "abc"


def test_allowed_change_becomes_the_new_state(tmp_path: Path) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    guard.check(tmp_path, {**CONFIG, "seed": 5}, "xyz", True)
    guard.check(tmp_path, {**CONFIG, "seed": 5}, "xyz", False)
    assert stored(tmp_path)["config"]["seed"] == 5


def test_other_commit_and_version_warn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard.check(tmp_path, CONFIG, "abc", False)
    monkeypatch.setattr(guard, "versions", lambda: {**stored(tmp_path)["versions"], "torch": "0"})
    monkeypatch.setattr(guard, "commit", lambda folder: {"commit": "c0ffee", "uncommitted": ""})
    with caplog.at_level(logging.WARNING):
        guard.check(tmp_path, CONFIG, "abc", False)
    assert "torch" in caplog.text
    assert "c0ffee" in caplog.text


def test_uncommitted_changes_have_another_hash(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        guard.subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "a.txt").write_text("one")
    git("add", "a.txt")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "first")
    clean = guard.commit(tmp_path)
    (tmp_path / "a.txt").write_text("two")
    dirty = guard.commit(tmp_path)
    assert (len(clean["commit"]), clean["uncommitted"]) == (40, "")
    assert dirty["commit"] == clean["commit"]
    assert dirty["uncommitted"]


def test_excluded_keys_are_not_held() -> None:
    cfg, exclude = main.resolve(["workers=3", "optim.lr=0.5"]).cfg, main.dora.exclude
    significant = guard.significant(cfg, exclude)
    assert significant["optim.lr"] == 0.5
    assert significant["dset.split.ratios.train"] == 0.8
    gone = {"workers", "device", "wandb.mode", "log.every", "paths.cache", "slurm.gpus", "dora.dir"}
    assert not gone & set(significant)


def test_edited_default_is_caught(tmp_path: Path) -> None:
    """The same signature after a default was edited: the old checkpoint must not continue."""
    exclude = main.dora.exclude
    guard.check(tmp_path, guard.significant(main.resolve([]).cfg, exclude), None, False)
    edited = main.resolve([]).cfg
    edited.optim.weight_decay = 0.1
    with pytest.raises(UserError, match=r"optim\.weight_decay: 0\.0 -> 0\.1"):
        guard.check(tmp_path, guard.significant(edited, exclude), None, False)

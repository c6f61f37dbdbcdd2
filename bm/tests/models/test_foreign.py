"""Checkpoints of other programs: what is read of them, and what is said of the rest."""

from __future__ import annotations

import argparse
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bm.errors import UserError
from bm.models.foreign import read_checkpoint

STATE = {"a.weight": torch.arange(4.0), "a.bias": torch.ones(1)}


def written(folder: Path, content: Any) -> Path:
    path = folder / "file.pth"
    torch.save(content, path)
    return path


@pytest.mark.parametrize("key", ["model", "module", ""])
def test_tensors_are_found_under_a_key_or_without_one(tmp_path: Path, key: str) -> None:
    file = read_checkpoint(written(tmp_path, {key: STATE} if key else STATE))
    assert file.key == key and list(file.tensors) == list(STATE)
    assert all(torch.equal(file.tensors[name], STATE[name]) for name in STATE)


def test_the_first_of_the_keys_wins_and_the_others_are_described(tmp_path: Path) -> None:
    content = {
        "module": {"b": torch.ones(1)}, "model": STATE, "epoch": 49, "best": np.float64(0.5),
        "args": argparse.Namespace(lr=0.1, name="x"), "optimizer": {"state": 1, "groups": 2},
    }  # fmt: skip
    file = read_checkpoint(written(tmp_path, content))
    assert file.key == "model" and set(file.tensors) == set(STATE)
    assert file.others == {
        "module": "1 entries", "epoch": "49", "best": "0.5", "args": "2 arguments",
        "optimizer": "2 entries",
    }  # fmt: skip
    chosen = read_checkpoint(written(tmp_path, content), keys=("module",))
    assert chosen.key == "module" and list(chosen.tensors) == ["b"]


def test_the_prefix_of_parallel_training_is_cut(tmp_path: Path) -> None:
    state = OrderedDict({f"module.{name}": tensor for name, tensor in STATE.items()})
    assert set(read_checkpoint(written(tmp_path, {"model": state})).tensors) == set(STATE)


def test_values_that_are_no_tensors_are_left_out(tmp_path: Path) -> None:
    file = read_checkpoint(written(tmp_path, {"model": {**STATE, "version": 3}}))
    assert set(file.tensors) == set(STATE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a checkpoint"),
        ({"model": {"version": 3}}, "no tensors under model, module; top-level keys: model"),
        ({}, "top-level keys: none"),
    ],
)
def test_files_without_tensors_are_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_checkpoint(written(tmp_path, content))


class Writes:
    """Would write a file when a plain unpickler reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_class_that_is_not_allowed_is_named_and_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, {"model": STATE, "trick": Writes(tmp_path / "made")})
    with pytest.raises(UserError, match="would run code of its own"):
        read_checkpoint(path)
    assert not (tmp_path / "made").exists()
    pickle.loads(pickle.dumps(Writes(tmp_path / "made")))
    assert (tmp_path / "made").exists()  # the file is as bad as it should be


def test_absent_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_checkpoint(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(UserError, match=r"text\.pth: not"):
        read_checkpoint(tmp_path / "text.pth")

"""Addresses of stages, the finished marker, and stages in grids."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from omegaconf import OmegaConf

from bm.errors import UserError
from bm.train import main
from bm.xp import address, marker
from bm.xp.resolve import to_plain
from bm.xp.stage import stage, upstream, upstream_sigs


def finished(root: Path, sig: str) -> Path:
    """A finished experiment with a saved model."""
    folder = root / sig
    (folder / address.BEST).mkdir(parents=True)
    marker.write(folder, {"epoch": 3})
    return folder


def test_marker(tmp_path: Path) -> None:
    assert not marker.exists(tmp_path)
    assert marker.read(tmp_path) is None
    marker.write(tmp_path, {"epoch": 3, "valid": {"loss": 0.5}})
    assert marker.exists(tmp_path)
    assert marker.read(tmp_path) == {"epoch": 3, "valid": {"loss": 0.5}}
    assert [p.name for p in tmp_path.iterdir()] == [marker.NAME]


def test_marker_is_absent_when_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="no space"):
        marker.write(tmp_path, {})
    assert not marker.exists(tmp_path)


def test_signature_address(tmp_path: Path) -> None:
    folder = finished(tmp_path, "ab12cd34")
    assert address.resolve("//sig/ab12cd34", tmp_path) == (folder / "best").resolve()


def test_best_is_followed_when_it_is_a_link(tmp_path: Path) -> None:
    folder = finished(tmp_path, "ab12cd34")
    (folder / "best").rename(folder / "best-3")
    (folder / "best").symlink_to("best-3")
    assert address.resolve("//sig/ab12cd34", tmp_path).name == "best-3"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("//sig/00000000", "no experiment 00000000"),
        ("//sig/12", "8 hexadecimal digits"),
        ("//sig/AB12CD34", "8 hexadecimal digits"),
        ("ab12cd34", "unknown address"),
        ("//what/x", "unknown address"),
        ("//file/nowhere/at/all", "no saved model"),
        (12345678, "quote it"),
        (float("inf"), "quote it"),
        (None, "8 hexadecimal digits"),
    ],
)
def test_wrong_address(tmp_path: Path, text: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        address.resolve(text, tmp_path)


def test_unfinished_experiment(tmp_path: Path) -> None:
    folder = tmp_path / "ab12cd34"
    folder.mkdir()
    with pytest.raises(UserError, match="has not finished"):
        address.resolve("//sig/ab12cd34", tmp_path)
    marker.write(folder, {})
    with pytest.raises(UserError, match="without saving a model"):
        address.resolve("//sig/ab12cd34", tmp_path)


def test_file_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    assert address.resolve(f"//file/{model}", tmp_path) == model
    assert address.resolve(f"//file{model}", tmp_path) == model
    monkeypatch.chdir(tmp_path)
    assert address.resolve("//file/models/mine", tmp_path).resolve() == model.resolve()


def test_hub_copy_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BM_MODELS", str(tmp_path))
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "owner" / "name" / "config.json").write_text("{}")
    assert address.resolve("//hub/owner/name", tmp_path) == tmp_path / "owner" / "name"


def test_hub_without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setenv("BM_MODELS", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError) as caught:
        address.resolve("//hub/owner/name", tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "hf download owner/name" in message
    assert str(tmp_path / "owner" / "name") in message


@pytest.mark.parametrize("value", [12345678, float("inf"), 12.5])
def test_signature_read_as_number(value: float) -> None:
    with pytest.raises(UserError, match="quote it"):
        address.check_signature(value)


def test_signature_as_text() -> None:
    assert address.check_signature("12e45678") == "12e45678"
    with pytest.raises(UserError, match="8 hexadecimal digits"):
        address.check_signature("123")


class FakeLauncher:
    """A launcher that remembers what was scheduled."""

    def __init__(self, argv: list[str], scheduled: list[list[str]]) -> None:
        self._main, self._argv, self._scheduled = main, argv, scheduled

    def bind(self, *args: Any, **kwargs: Any) -> FakeLauncher:
        argv = [*self._argv, *(a for arg in (*args, kwargs) for a in main.value_to_argv(arg))]
        return FakeLauncher(argv, self._scheduled)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self._scheduled.append(self.bind(*args, **kwargs)._argv)


def test_stage_schedules_and_names_the_upstream() -> None:
    scheduled: list[list[str]] = []
    launcher = FakeLauncher(["seed=4"], scheduled)
    up = stage(launcher, {"optim.epochs": 2})
    assert scheduled == [["seed=4", "optim.epochs=2"]]
    assert up == f"//sig/{main.resolve(['seed=4', 'optim.epochs=2']).sig}"
    down = main.resolve(launcher.bind({"init_from": up})._argv)
    assert down.cfg.init_from == up
    assert upstream_sigs(down.cfg) == [up[-8:]]
    assert upstream(down.argv) == [up[-8:]]


def test_upstream_addresses_are_found_anywhere() -> None:
    config = OmegaConf.create(
        {
            "init_from": "//sig/00000001",
            "model": {"tokenizer": "//sig/00000002", "parts": [{"encoder": "//sig/00000003"}]},
            "solver": {"autoencoder": "//file/a", "encoder": None, "other": "//sig/00000004"},
            "dset": {"tokenizer": "//sig/00000001"},
        }
    )
    assert upstream_sigs(config) == ["00000001", "00000002", "00000003"]


@pytest.mark.parametrize("study", ["simulated", "true", "1e3", "a b", "x:y"])
def test_names_of_experiments_can_be_typed_again(study: str) -> None:
    """Symptom: `dora grid` showed lists as Python writes them, which the shell and Hydra refuse."""
    entry = {"study": "simulated", "seed": 3, "contacts": [8, 8], "path": study}
    part = main.short_name_part("dset.studies", [entry])
    assert "'" not in part
    cfg = main.get_xp([part]).cfg
    assert to_plain(cfg.dset.studies) == [entry]

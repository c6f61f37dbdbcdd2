"""Damaged bytes of an experiment are noticed, named, and gone round where that is possible."""

from __future__ import annotations

import errno
import json
import random
import shutil

import pytest
import torch

from bm.engine import checkpoint
from bm.errors import UserError

from . import toy


def flip(path, position):
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 0x40
    path.write_bytes(content)


def test_any_flipped_byte_of_a_checkpoint_is_noticed(tmp_path):
    """Symptom: a weight of -2.4e36 was loaded in silence."""
    path = tmp_path / "checkpoint.pt"
    checkpoint.write(path, {"state": {"w": torch.randn(500), "epoch": 3}})
    whole = path.read_bytes()
    draws = random.Random(0)
    for _ in range(200):
        position = draws.randrange(len(whole) - checkpoint.SEAL_BYTES)
        flip(path, position)
        with pytest.raises(UserError, match=r"damaged checkpoint .*checksum does not fit"):
            checkpoint.read(path)
        path.write_bytes(whole)
    assert checkpoint.read(path)["state"]["epoch"] == 3
    for length in (0, 1, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged checkpoint"):
            checkpoint.read(path)


@pytest.mark.parametrize("small", [1, 1 << 23])
def test_the_sum_is_that_of_all_bytes_for_small_and_large_files(tmp_path, monkeypatch, small):
    monkeypatch.setattr(checkpoint, "SMALL", small)
    monkeypatch.setattr(checkpoint, "BLOCK", 1000)
    before = torch.serialization.get_crc32_options()
    checkpoint.write(tmp_path / "a.pt", {"w": torch.arange(3000)})
    assert torch.serialization.get_crc32_options() == before
    checkpoint.check_seal(tmp_path / "a.pt")
    assert torch.equal(checkpoint.read(tmp_path / "a.pt")["w"], torch.arange(3000))
    flip(tmp_path / "a.pt", 15000)
    with pytest.raises(ValueError, match="checksum"):
        checkpoint.check_seal(tmp_path / "a.pt")


def test_a_checkpoint_without_a_sum_is_read(tmp_path):
    torch.save({"w": torch.ones(3)}, tmp_path / "old.pt")
    assert torch.equal(checkpoint.read(tmp_path / "old.pt")["w"], torch.ones(3))


def test_a_run_goes_on_from_the_checkpoint_before_and_says_so(tmp_path, caplog):
    toy.run(tmp_path / "undisturbed")
    toy.run(tmp_path / "hit")
    folder = tmp_path / "hit/xps/toy"
    (folder / "finished.json").unlink()
    flip(folder / "checkpoint.pt", 2000)
    toy.run(tmp_path / "hit")
    assert "checksum does not fit" in caplog.text
    assert "continuing from checkpoint.previous.pt" in caplog.text
    first, second = toy.outcome(tmp_path / "undisturbed"), toy.outcome(tmp_path / "hit")
    assert toy.same(first["state"]["model"], second["state"]["model"])


@pytest.mark.parametrize("content", ["", "[{", "{}", "[1]", "\x00" * 40])
def test_a_damaged_history_comes_back_from_the_checkpoint(tmp_path, caplog, content):
    toy.run(tmp_path)
    folder = tmp_path / "xps/toy"
    before = json.loads((folder / "history.json").read_text())
    (folder / "history.json").write_text(content)
    (folder / "finished.json").unlink()
    caplog.set_level("INFO")
    toy.run(tmp_path)
    after = json.loads((folder / "history.json").read_text())
    assert [one["train"] for one in after] == [one["train"] for one in before]
    assert "history.json: damaged" in caplog.text


@pytest.mark.parametrize("damage", ["absent", "empty"])
def test_a_missing_best_folder_is_said_at_the_start(tmp_path, damage):
    """Symptom: it was said after the last epoch."""
    toy.run(tmp_path, "checkpoint.every=1")
    folder = tmp_path / "xps/toy"
    (folder / "finished.json").unlink()
    best = (folder / "best").resolve()
    shutil.rmtree(best)
    if damage == "empty":
        best.mkdir()
    with pytest.raises(UserError, match=r"best-\d+: .*--clear"):
        toy.run(tmp_path, "optim.epochs=9", "allow_change=true")


def test_a_disk_that_fills_up_leaves_nothing_of_the_best_weights(tmp_path):
    class Filling(toy.Toy):
        def save_model(self, folder):
            (folder / "half").write_bytes(b"some of it")
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "half"))

    with pytest.raises(UserError, match="best-00000: cannot be written: no space left"):
        toy.run(tmp_path, kind=Filling)
    assert not list((tmp_path / "xps/toy").glob(".tmp.*"))

"""Histories are appended: the same list for every reader, in time that does not grow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from dora.link import Link

import bm.train  # noqa: F401 - it mends Dora's link
from bm import writing
from bm.errors import UserError
from bm.tests.processes import forked
from bm.xp import history


def epoch(number: int) -> dict:
    return {"train": {"loss": 1 / (number + 1)}, "valid": {"größe": number}}


def test_appended_epochs_are_a_json_list_at_any_moment(tmp_path: Path, monkeypatch) -> None:
    path, wrote = tmp_path / "history.json", []
    link = Link(path)
    plain = writing.write_text
    monkeypatch.setattr(history, "write_text", lambda *a, **k: wrote.append(1) or plain(*a, **k))
    for number in range(50):
        link.push_metrics(epoch(number))
        assert json.loads(path.read_text()) == link.history
    assert len(wrote) == 1 and link.history == [epoch(n) for n in range(50)]
    again = Link(path)
    again.load()
    assert again.history == link.history


def test_a_history_of_another_hand_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    link = Link(path)
    link.update_history([epoch(0), epoch(1)])
    path.write_text(json.dumps([epoch(0)], indent=2))  # as Dora does
    link.push_metrics(epoch(2))
    assert json.loads(path.read_text()) == [epoch(0), epoch(1), epoch(2)]
    path.unlink()
    link.push_metrics(epoch(3))
    assert len(json.loads(path.read_text())) == 4


def test_no_epochs_and_the_first_one(tmp_path: Path) -> None:
    link = Link(tmp_path / "history.json")
    link.update_history([])
    assert json.loads((tmp_path / "history.json").read_text()) == []
    link.push_metrics(epoch(0))
    assert json.loads((tmp_path / "history.json").read_text()) == [epoch(0)]


def test_an_appended_epoch_costs_as_much_as_its_own_length(tmp_path: Path, monkeypatch) -> None:
    sizes, real = [], os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda f, text, at: sizes.append(len(text)) or real(f, text, at)
    )
    link = Link(tmp_path / "history.json")
    for number in range(400):
        link.push_metrics(epoch(number))
    assert len(sizes) == 399 and max(sizes) < 100


@pytest.mark.parametrize("part", [0, 1, 10])
def test_a_full_disk_leaves_a_whole_list(tmp_path: Path, monkeypatch, part: int) -> None:
    path = tmp_path / "history.json"
    link, real = Link(path), os.pwrite
    link.update_history([epoch(0)])

    def full(descriptor: int, text: bytes, place: int) -> int:
        if len(text) <= len(history.END):
            return real(descriptor, text, place)
        if part and text.startswith(b","):
            return real(descriptor, text[:part], place)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match="no space left"):
        link.push_metrics(epoch(1))
    assert json.loads(path.read_text()) == [epoch(0)]


def test_a_kill_between_two_calls_of_the_system_leaves_a_whole_list(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    for call in range(1, 8):
        path.unlink(missing_ok=True)
        Link(path).update_history([epoch(0)])

        def dies(call: int = call) -> None:
            calls = []
            for name in ("open", "fstat", "pread", "pwrite", "close"):
                real = getattr(os, name)

                def counted(*arguments, real=real, **options):
                    calls.append(1)
                    if len(calls) == call:
                        os._exit(9)
                    return real(*arguments, **options)

                setattr(os, name, counted)
            link = Link(path)
            link.load()
            history.append_epoch(path, epoch(1), path.stat().st_size)

        os.waitpid(forked(dies), 0)
        assert json.loads(path.read_text()) in ([epoch(0)], [epoch(0), epoch(1)])

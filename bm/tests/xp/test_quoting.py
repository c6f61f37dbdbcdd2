"""Folders in every language and with every sign, on command lines, in grids and in the queue."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from bm.tests.xp.forked import Command
from bm.tests.xp.project import environment
from bm.train import main
from bm.xp.main import Main
from bm.xp.queue import Queue
from bm.xp.quoting import quote, quote_place, value_text
from bm.xp.resolve import parse
from bm.xp.runner import Runner

NAME = "José (2), v=1 R&D #3 it's [new] ~t"
TEXTS = [NAME, "", "a\\b", "ends in \\", 'say "x"', "日本語", "{a}", "null", "12e45678", "1"]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back_from_hydra(text: str) -> None:
    assert parse(f"dummy={quote(text)}").value() == text
    (argument,) = main.value_to_argv({"dummy": text})
    assert parse(argument).value() == text
    assert parse(f"dummy={value_text([{'path': text}, 1, 0.5, None, True])}").value() == [
        {"path": text}, 1, 0.5, None, True,
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["init_from", "paths.cache"])
def test_a_path_or_address_needs_no_quotes_of_the_user(key: str) -> None:
    for start in ("//file", "/data", "./data", "../data", "~/data"):
        xp = main.resolve([f"{key}={start}/{NAME}/x"])
        section, _, rest = key.partition(".")
        value = xp.cfg[section][rest] if rest else xp.cfg[section]
        assert value == f"{start}/{NAME}/x"


def test_the_path_of_a_study_needs_no_quotes_of_the_user() -> None:
    for ending in ("", ", name: mine", ", labels: {T1: left, T2: right}"):
        argument = f"dset.studies=[{{study: folder, path: /data/{NAME}{ending}}}, {{study: feis}}]"
        entries = main.resolve([argument]).cfg.dset.studies
        assert entries[0].path == f"/data/{NAME}"
        assert entries[1] == {"study": "feis"}
    move = f"paths.moved=[{{from: /a {NAME}, to: /b {NAME}}}]"
    assert main.resolve([move]).cfg.paths.moved == [{"from": f"/a {NAME}", "to": f"/b {NAME}"}]


@pytest.mark.parametrize(
    "argument",
    ["seed=1", "init_from=//sig/ab12cd34", "init_from='//file/a (b)'", "dummy=a/b", "optim.lr=0.1",
     "paths.cache=/a\\ b\\(c\\)", "paths.cache=/x/${seed}",
     "dset.studies=[{study: folder, path: x}]", "dset.studies=[{study: folder, path: '/a (b)'}]"],
)  # fmt: skip
def test_what_hydra_reads_is_left_alone(argument: str) -> None:
    assert quote_place(argument) == argument


def test_a_run_and_a_queued_run_below_an_odd_folder(toy: Path) -> None:
    outputs = toy / NAME / "outputs"
    variables = {**environment(), "BM_OUTPUTS": str(outputs)}
    place = f"paths.models=/models/{NAME}"
    argument = f"init_from=//file/{NAME}"
    process = Command(toy, "run", "seed=31", place, argument, environment=variables).wait()
    assert process.returncode == 0, process.stderr
    xp = main.resolve(["seed=31", argument])
    folder = outputs / "xps" / xp.sig
    assert len(json.loads((folder / "history.json").read_text())) == xp.cfg.optim.epochs
    assert (folder / ".hydra" / "overrides.yaml").exists()
    again = Command(toy, "run", "-f", xp.sig, environment=variables).wait()
    assert again.returncode == 0, again.stderr
    words = Runner(Queue(outputs / "local"), 1, 0).command(
        {"package": "toy", "argv": xp.argv}, workers=1
    )
    queued = Command(toy, *words[words.index("dora") + 1 :], environment=variables).wait()
    assert queued.returncode == 0, queued.stderr


def test_the_arguments_of_the_process_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("hydra.main", lambda **_: lambda run: lambda: seen.extend(sys.argv))
    words = ["dora", f"paths.cache=/{NAME}"]
    monkeypatch.setattr(sys, "argv", words)
    Main._main(main)
    assert sys.argv is words
    assert seen == ["dora", f"paths.cache={quote('/' + NAME)}"]
    assert os.fspath(Path(f"/{NAME}")) == parse(seen[1]).value()

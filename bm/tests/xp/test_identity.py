"""One signature per value, and keys of one run that do not stay with the experiment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.studies import build_study
from bm.tests.xp.project import Dora
from bm.train import main

MINE = "dset.studies=[{{study: folder, path: {}, name: mine}}]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("optim.lr=1", "optim.lr=1.0"),
        ("optim={lr: 2}", "optim.lr=2.0"),
        ("optim.betas=[0,0.5]", "optim.betas=[0.0,0.5]"),
        (MINE.format("x"), "dset.studies=[{name: mine, path: x, study: folder}]"),
        (MINE.format("x"), MINE.format("./x/")),
        (MINE.format("/data//x"), MINE.format("/data/y/../x/")),
    ],
)
def test_spellings_of_a_value_are_one_signature(one: str, other: str) -> None:
    assert main.resolve([one]).sig == main.resolve([other]).sig


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("optim.lr=1", "optim.lr=true"),
        ("schedule.warmup_epochs=3", "schedule.warmup_epochs=3.0"),
        ("optim.clip_norm=1", "optim.clip_norm=1.0"),
        (MINE.format("x"), MINE.format("/x")),
        (MINE.format("x"), MINE.format("y")),
    ],
)
def test_what_counts_as_it_is_written(one: str, other: str) -> None:
    def sig(text: str) -> str:
        try:
            return main.resolve([text]).sig
        except UserError as error:
            return str(error)

    assert sig(one) != sig(other)


def test_moved_data_keep_the_signature_and_are_read_where_they_lie(tmp_path: Path) -> None:
    moves = [{"from": "/old", "to": str(tmp_path)}]
    argument = f"paths.moved=[{{from: /old, to: {tmp_path}}}]"
    assert main.resolve([argument]).sig == main.resolve([]).sig
    paths = {"studies": ".", "cache": ".", "moved": moves}
    entry = {"study": "folder", "path": "/old/mine", "name": "mine"}
    assert build_study(entry, paths).folder == tmp_path / "mine"
    assert build_study({**entry, "path": "/older/x"}, paths).folder == Path("/older/x")
    with pytest.raises(UserError, match="from: /old"):
        build_study(entry, {**paths, "moved": [{"form": "/a", "to": "/b"}]})


@pytest.mark.parametrize(
    "words",
    [["show=true", "device=cpu"], ["log={every: 3}", "wandb.project=x"], ["hydra.verbose=true"]],
)
def test_keys_of_one_run_are_not_stored(tmp_path: Path, monkeypatch, words: list[str]) -> None:
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    xp = main.resolve(["seed=21", *words, "optim.epochs=2"])
    main.init_xp(xp)
    assert json.loads((xp.folder / ".argv.json").read_text()) == ["seed=21", "optim.epochs=2"]
    assert xp.argv == ["seed=21", *words, "optim.epochs=2"]  # this run has them


def test_experiments_that_hold_keys_of_one_run_are_read_without(toy: Path, dora: Dora) -> None:
    xp = main.resolve(["seed=22", "optim.epochs=2"])
    folder = toy / "outputs" / "xps" / xp.sig
    folder.mkdir(parents=True)
    (folder / ".argv.json").write_text(json.dumps(["seed=22", "show=true", "optim.epochs=2"]))
    process = dora("run", "-f", xp.sig)
    assert process.returncode == 0, process.stderr
    assert "show=true" not in process.stderr
    assert json.loads((folder / ".argv.json").read_text()) == ["seed=22", "optim.epochs=2"]

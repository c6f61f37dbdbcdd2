"""Audit at the start of a run: stored, refused on a leak, marked when it trains all the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bm.engine.audit import NAME
from bm.engine.run import Run
from bm.errors import UserError
from bm.eval.experiments import of_sigs
from bm.solvers import build
from bm.train import main

TINY = (
    "solver=supervised/debug",
    "dset.studies=[{study: simulated, mode: motor, preset: tiny}]",
    "log.figures=false",
    "optim.epochs=1",
    "device=cpu",
)


def train(*words: str) -> Path:
    """Run an experiment in this process; return its folder."""
    xp = main.resolve([*TINY, *words])
    main.init_xp(xp)
    with xp.enter(stack=True):
        Run(build(xp.cfg)).train()
    return Path(xp.folder)


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(main.dora, "dir", tmp_path / "outputs")
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_leak_by_any_address_refuses_to_start(outputs: Path) -> None:
    up = train("dset.split.fixed={test: {session: ['0']}}")
    assert json.loads((up / NAME).read_text())["state"] == "clean"
    shutil.copytree(up / "best", outputs / "weights")
    for address in (f"//sig/{up.name}", f"//file/{outputs / 'weights'}"):
        with pytest.raises(UserError, match=r"recording time: .* train of //.*allow_leak=true"):
            train(f"init_from={address}")
    down = train(f"init_from={address}", "allow_leak=true")
    audit = json.loads((down / NAME).read_text())
    assert audit["state"] == "leak"
    assert of_sigs([down.name], main)[0].marks == audit["marks"] == ["leak"]
    # The list of the model before goes on with the weights.
    names = [one["name"] for one in json.loads((down / "best/recordings.json").read_text())[
        "recordings"]]  # fmt: skip
    assert any("//file/" in name for name in names)


def test_weights_without_a_list_are_not_checked(outputs: Path) -> None:
    up = train("seed=1")
    shutil.copytree(up / "best", outputs / "weights")
    (outputs / "weights" / "recordings.json").unlink()
    down = train(f"init_from=//file/{outputs / 'weights'}")
    audit = json.loads((down / NAME).read_text())
    assert (audit["state"], audit["marks"]) == ("not checked", ["not checked"])
    # And whoever begins from that model does not know everything either.
    last = train(f"init_from=//sig/{down.name}", "seed=2")
    assert json.loads((last / NAME).read_text())["state"] == "not checked"


def test_an_empty_test_split_is_refused_before_training(outputs: Path) -> None:
    words = ("dset.split.fixed={}", "dset.split.ratios={train: 0.8, valid: 0.2, test: 0.0}")
    with pytest.raises(UserError, match="split test is empty"):
        train(*words)
    folder = train(*words, "dset.split.allow_empty=[test]")
    assert not (folder / "evaluation.json").exists()

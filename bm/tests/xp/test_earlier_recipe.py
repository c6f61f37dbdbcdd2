"""A finished experiment whose recipe was edited since is not taken for one of today's recipe."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bm.eval.experiments import Experiment
from bm.tests.experiments import run
from bm.xp import guard

WORDS = ("solver=baseline/chance", "dset.studies=[{study: simulated, mode: motor, preset: tiny}]")


@pytest.mark.story
def test_every_look_at_it_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Symptom: a grid took a stage of 30 epochs for one of 90 after its recipe was edited."""
    caplog.set_level("INFO")
    solver = run(tmp_path, *WORDS)
    config = solver.xp.cfg
    assert guard.changes(solver.folder, config) == []
    one = Experiment(solver.xp.sig, "", solver.folder, config, "done")
    assert one.marks == []

    path = solver.folder / guard.NAME
    stored = json.loads(path.read_text())
    stored["config"]["optim.epochs"] = 30
    path.write_text(json.dumps(stored))
    assert guard.changes(solver.folder, config) == []  # written after every recipe
    os.utime(path, (1.0, 1.0))
    lines = guard.changes(solver.folder, config)
    assert lines == [f"optim.epochs: 30 -> {config.optim.epochs}"]
    assert one.marks == [f"an earlier recipe ({lines[0]})"]
    run(tmp_path, *WORDS)
    said = f"{solver.xp.sig} is of an earlier recipe ({lines[0]})"
    assert said in caplog.text and f"dora run -f {solver.xp.sig} --clear" in caplog.text

    caplog.clear()
    guard.warn_of_changes(solver.folder, config)  # before a grid submits what is beside it
    assert said in caplog.text

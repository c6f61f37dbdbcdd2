"""`scripts.denoise` on a finished experiment: every artefact, level and method has its row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bm.engine.run import Run
from bm.solvers import build
from bm.train import main
from scripts._arguments import main_of
from scripts.denoise import command


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(main.dora, "dir", str(tmp_path))
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    yield tmp_path


@pytest.mark.story
def test_a_table_of_a_finished_experiment(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("optim.epochs=1", "solver.n_evaluation=6", "generate.n=1", "generate.steps=2")
    xp = main.get_xp(["solver=eegdiff/debug", "threads=1", "log.figures=false", *few])
    main.init_xp(xp)
    with xp.enter():
        Run(build(xp.cfg)).train()
    words = [f"sig={xp.sig}", "n=3", "start=[1,3]", "steps=4", f"out={outputs}/out"]
    assert main_of(command, words) == 0
    rows = json.loads((outputs / "out/denoising.json").read_text())
    assert len(rows) == 3 * 4 * 6  # artefacts, levels, methods
    assert all(np.isfinite(row["snr_gain_db"]) for row in rows)
    assert all(abs(r["snr_gain_db"]) < 1e-6 for r in rows if r["method"] == "nothing")
    assert "| line | diffusion from step 3 |" in capsys.readouterr().out
    assert main_of(command, [f"sig={xp.sig}", "start=[1,9]", "steps=4"]) == 2
    assert "start_step=9" in capsys.readouterr().err


def test_mistakes_are_one_line(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in [([], "which model"), (["sig=00000000", "n=0"], "n=0"),
                        (["sig=00000000", "start=[a]"], "whole numbers")]:  # fmt: skip
        assert main_of(command, words) == 2
        assert message in capsys.readouterr().err

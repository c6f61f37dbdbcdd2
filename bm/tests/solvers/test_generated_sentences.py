"""Gate of generated word maps over three seeds: each is nearest to its own sentence, of fifty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bm.engine.run import Run
from bm.solvers import build
from bm.train import main

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("outputs")
    patch.setattr(main.dora, "dir", str(folder))
    patch.setenv("BM_CACHE", str(folder / "cache"))
    yield folder
    patch.undo()


def evaluated(*words: str) -> dict[str, Any]:
    """Train and return the metrics of the test split."""
    xp = main.get_xp([*words, "threads=1", "log.figures=false"])
    main.init_xp(xp)
    with xp.enter():
        Run(build(xp.cfg)).train()
    return dict(json.loads((xp.folder / "evaluation.json").read_text())["metrics"])


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_are_found_among_fifty(outputs: Path, seed: int) -> None:
    found = evaluated("solver=eegdiff/reading_series", f"seed={seed}")
    assert found["sentence_p_real"] < 0.01  # else the encoder could not say
    assert found["sentence_p_generated"] < 0.01 < found["sentence_p_shuffled"]
    assert found["sentence_rank_generated"] > found["sentence_rank_shuffled"] + 0.1


@pytest.mark.endurance
@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_text_fails_the_same_gate(outputs: Path, seed: int) -> None:
    found = evaluated("solver=eegdiff/reading_series", f"seed={seed}", "solver.drop_condition=1")
    assert found["sentence_p_real"] < 0.01 < found["sentence_p_generated"]

"""The masked model of simulated people knows more of a hidden code than its neighbours tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bm.solvers import neighbour_reference
from bm.tests.experiments import run


@pytest.mark.endurance
@pytest.mark.story
def test_the_masked_model_is_above_naive_bayes_over_neighbours(tmp_path: Path) -> None:
    """Symptom: the masked stage ended at the guess by frequency."""
    tokenizer = run(tmp_path, "solver=labram/simulated_tokenizer", "log.figures=false")
    masked = run(
        tmp_path, "solver=labram/simulated_pretrain", f"tokenizer=//sig/{tokenizer.xp.sig}",
        "log.figures=false",
    )  # fmt: skip
    stored = json.loads((masked.folder / "evaluation.json").read_text())
    neighbours = stored["extra"]["references"][neighbour_reference.NAME]["accuracy"]
    assert neighbours > 1.5 * stored["chance"]["accuracy"]  # there is context to learn
    assert stored["metrics"]["accuracy"] > 1.2 * neighbours

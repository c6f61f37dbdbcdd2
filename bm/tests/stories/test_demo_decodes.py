"""The demonstration convinces: its network is above a decoder without training, on each seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bm.tests.experiments import run


def accuracy(folder: Path, *words: str) -> float:
    """Return the balanced accuracy of the test session."""
    solver = run(folder, *words, "log.figures=false")
    stored = json.loads((solver.folder / "evaluation.json").read_text())
    return float(stored["metrics"]["balanced_accuracy"])


@pytest.mark.endurance
@pytest.mark.story
def test_the_network_of_the_demo_is_above_lda_on_every_seed(tmp_path: Path) -> None:
    """Symptom: both networks of `demo.main` reached .52 where LDA reaches .76."""
    lda = accuracy(tmp_path, "solver=baseline/lda")
    for seed in (0, 1, 2):
        network = accuracy(tmp_path, "solver=supervised/motor_power", f"seed={seed}")
        assert network > lda, f"seed {seed}: {network} where LDA has {lda}"

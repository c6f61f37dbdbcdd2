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


@pytest.fixture(scope="module")
def lda(tmp_path_factory: pytest.TempPathFactory) -> float:
    """What a decoder without training reaches on the same test session."""
    return accuracy(tmp_path_factory.mktemp("lda"), "solver=baseline/lda")


@pytest.mark.endurance
@pytest.mark.story
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("recipe", ["motor_power", "motor_eegnet"])
def test_a_network_of_the_demo_is_above_lda(
    recipe: str, seed: int, lda: float, tmp_path: Path
) -> None:
    """Symptom: both networks of `demo.main` reached .52 where LDA reaches .76."""
    network = accuracy(tmp_path, f"solver=supervised/{recipe}", f"seed={seed}")
    assert network > lda, f"{recipe}, seed {seed}: {network} where LDA has {lda}"

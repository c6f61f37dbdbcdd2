"""The demonstration convinces: its networks are above decoders without training, on each seed."""

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
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What decoders without training reach on the same test session."""
    folder = tmp_path_factory.mktemp("references")
    return {name: accuracy(folder, f"solver=baseline/{name}") for name in ("lda", "csp")}


@pytest.mark.endurance
@pytest.mark.story
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("recipe", ["motor_power", "motor_eegnet"])
def test_a_network_of_the_demo_is_above_lda_and_csp(
    recipe: str, seed: int, references: dict[str, float], tmp_path: Path
) -> None:
    """Symptom: both networks of `demo.main` reached .52 where LDA reaches .76.

    Measured: .95, .95, .93 and .96, .95, .93; LDA .76, pooled CSP and LDA .90.
    """
    network = accuracy(tmp_path, f"solver=supervised/{recipe}", f"seed={seed}")
    assert network > max(references.values()), f"{recipe}, seed {seed}: {network}, {references}"

"""The demonstration convinces: its network is above the decoders without training, always."""

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
def test_the_network_of_the_demo_is_above_lda_and_spatial_patterns(tmp_path: Path) -> None:
    """Symptom: both networks of `demo.main` reached .52 where LDA reaches .76."""
    references = [accuracy(tmp_path, f"solver=baseline/{name}") for name in ("lda", "csp")]
    for seed in (0, 1, 2):
        network = accuracy(tmp_path, "solver=supervised/motor_power", f"seed={seed}")
        assert network > max(references), f"seed {seed}: {network} where {references}"

"""An evaluation says on request how often labels in random order do as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ...experiments import run

QUICK = ("optim.epochs=1", "optim.max_batches=2", "log.figures=false", "+solver.permutations=99")


@pytest.mark.parametrize("recipe", ["supervised/debug", "duin/gamma_lda"])
def test_p_stands_beside_chance(recipe: str, tmp_path: Path) -> None:
    small = "{study: simulated, mode: seeg, preset: tiny, n_subjects: 1, part: task}"
    data = (f"dset.studies=[{small}]",) if recipe.startswith("duin") else ()
    solver = run(tmp_path, f"solver={recipe}", *QUICK, *data)
    stored = json.loads((solver.folder / "evaluation.json").read_text())
    p = stored["extra"]["permutation_p"]
    assert p.keys() <= stored["chance"].keys() and set(p) >= {"accuracy", "balanced_accuracy"}
    assert all(1 / 100 <= value <= 1 for value in p.values())

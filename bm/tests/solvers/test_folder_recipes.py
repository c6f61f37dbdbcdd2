"""Recipes for recordings that nobody described begin on a folder of two files, as the pages say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from bm.solvers import build
from bm.tests.experiments import opened
from bm.train import main

RECIPES = [name for name in main.resolver.options("solver") if name.endswith("/folder")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of one minute with events T1 and T2."""
    place = tmp_path_factory.mktemp("mine")
    names = ["Fz", "FC1", "C3", "Cz", "C4", "CP1", "Pz", "Oz"]
    onsets = np.arange(2.0, 56.0, 3.0)
    for seed, stem in enumerate(("S001R04", "S001R08")):
        noise = 1e-5 * np.random.default_rng(seed).standard_normal((len(names), 60 * 160))
        raw = mne.io.RawArray(noise, mne.create_info(names, 160.0, "eeg"), verbose="error")
        labels = ["T1" if k % 2 else "T2" for k in range(len(onsets))]
        raw.set_annotations(mne.Annotations(onsets, 2.0, labels))
        raw.save(place / f"{stem}_raw.fif", verbose="error")
    return place


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_begins_on_two_files(
    recipe: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: `eegdiff/folder` was refused for its scale, then for its empty test split."""
    monkeypatch.setenv("BM_CACHE", str(tmp_path))
    study = f"{{study: folder, path: {folder}, labels: {{T1: left, T2: right}}}}"
    with opened(tmp_path / "outputs", f"solver={recipe}", f"dset.studies=[{study}]") as xp:
        solver: Any = build(xp.cfg)
        solver.data = solver.build_data()
        solver.model = solver.build_model(solver.data.facts)
    splits = solver.data.table["split"]
    assert {"train", "valid", "test"} <= set(splits)

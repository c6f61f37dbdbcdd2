"""A saved folder and raw recordings give what the experiment gave for its own test windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bm.tests.predict.trained import Trained

STEPS = "{step: bandpass, low_hz: 1.0, high_hz: 40.0}, {step: crop, start_s: 1.0}"
FILTER = f"dset.preprocess=[{STEPS}]"
TINY = "dset.studies=[{study: simulated, mode: motor, preset: tiny}]"
#: Name -> arguments: every network of this list is built otherwise than the one before.
DECODERS = {
    "eegnet": ("solver=supervised/debug",),
    "filtered, resampled, robust": (
        "solver=supervised/debug", FILTER, "dset.rate_hz=125", "dset.scale.kind=robust",
    ),
    "windows scaled each by itself": (
        "solver=supervised/debug", "dset.scale.kind=window", "model=baselines/shallow_fbcsp",
    ),
    "lda of each person": ("solver=baseline/lda", TINY),
    "spatial patterns, filtered": ("solver=baseline/csp", TINY, FILTER),
    "spatial patterns, aligned": (
        "solver=baseline/csp", TINY, f"dset.preprocess=[{STEPS}, {{step: align}}]",
    ),
    "tangent space": (
        "solver=baseline/lda", TINY, "solver.method=tangent", "solver.bands=[[8,30]]",
    ),
    "means, baseline subtracted elsewhere": (
        "solver=baseline/lda", TINY, "+solver.features=means", "+solver.stretch_s=0.25",
        "dset.scale.kind=robust",
    ),
    "labram": ("solver=labram/debug", "optim.epochs=1", "optim.max_batches=2"),
    "duin": ("solver=duin/debug", "optim.epochs=1", "optim.max_batches=2"),
}  # fmt: skip


@pytest.mark.story
@pytest.mark.parametrize("name", DECODERS)
def test_classes_equal_the_test_items(name: str, tmp_path: Path) -> None:
    trained = Trained(tmp_path, *DECODERS[name], "log.figures=false")
    items = trained.items()
    expected = items[[c for c in items if c.startswith("prob_")]].to_numpy()
    predicted = trained.predictions(items["segment"].to_numpy(), output="probabilities")
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    assert len(items) >= 8 and np.ptp(expected, axis=0).max() > 5e-4  # not one value for all


@pytest.mark.story
def test_speech_equals_the_estimates_of_the_experiment(tmp_path: Path) -> None:
    quick = ("optim.epochs=1", "optim.max_batches=2", "log.figures=false")
    trained = Trained(tmp_path, "solver=clip/debug", *quick)
    solver = trained.solver
    rows = solver.data.rows("test")[:40]
    solver.model.eval()
    with torch.no_grad():
        batch = solver.data.gather(rows.tolist())
        expected = solver.estimate(batch, "test")[0].numpy()
    np.testing.assert_allclose(trained.predictions(rows, output="outputs"), expected, atol=1e-5)

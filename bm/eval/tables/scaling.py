"""The power law of a pre-training over model size and data, fitted to the runs of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from safetensors import safe_open

from ...figures.scaling import Trained, draw_scaling
from ...metrics.scaling_law import fit_power_law
from ...xp.files import read_or_warn
from .figures import Result

CAPTION = (
    "Loss of the test over parameters N and training windows D, and the power law L(N, D) fitted "
    "to all runs (Hoffmann et al. 2022)"
)
PRETRAINING = ("masked", "selfsupervised")  # solvers whose loss a law is fitted to


def trained_of(result: Result) -> Trained | None:
    """Return sizes and loss of a pre-training; None where the folder does not tell them all."""
    folder = result.experiment.folder
    weights, splits = folder / "best" / "model.safetensors", read_or_warn(folder / "splits.json")
    loss = result.evaluation["metrics"].get("loss")
    if result.experiment.solver not in PRETRAINING or not weights.exists():
        return None
    if splits is None or not isinstance(loss, int | float) or not 0 < loss < np.inf:
        return None
    with safe_open(weights, "pt") as file:  # shapes alone: no weight is read
        count = sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return Trained(float(count), float(splits["windows"]["train"]), float(loss))


def draw_power_law(results: Sequence[Result], path: Path) -> Path | None:
    """Draw the law of pre-trainings; None where they are too few or too alike for one."""
    runs = [run for result in results if (run := trained_of(result)) is not None]
    try:
        law = fit_power_law(
            np.array([run.parameters for run in runs]),
            np.array([run.windows for run in runs]),
            np.array([run.loss for run in runs]),
        )
    except ValueError:
        return None
    return draw_scaling(runs, law, path, any(result.experiment.simulated for result in results))

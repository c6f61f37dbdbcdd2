"""What the grids of the publication share."""

from __future__ import annotations

from typing import Any

DATASETS = ("schoffelen2019", "gwilliams2022", "broderick2019", "brennan2019")
SEEDS = (2036, 2037, 2038)
MEL = [{"name": "MelSpectrum", "n_mels": 120}]
#: Overrides of the rows of the main table; the first is the published system.
TARGETS: dict[str, dict[str, Any]] = {
    "base": {},
    "random": {"optim.max_batches": 1, "optim.epochs": 1, "solver.wer_random": True},
    "mel": {"dset.features": MEL},
    "deep_mel": {"dset.features": MEL, "solver.feature_model": "deep_mel"},
    "regression": {"dset.features": MEL, "solver.loss": "mse"},
}


def published(launcher: Any) -> Any:
    """The recipe on two GPUs, as published; gives a launcher for further overrides."""
    launcher.slurm_(gpus=2, mem_per_gpu=200, cpus_per_gpu=10, time=4320)
    return launcher.bind({"solver": "clip/main"})


def with_mels(n_mels: int) -> dict[str, Any]:
    """Mel spectrograms of so many filters."""
    return {"dset.features": [{"name": "MelSpectrum", "n_mels": n_mels}]}

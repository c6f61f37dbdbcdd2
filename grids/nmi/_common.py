"""Rows, data sets and seeds that the grids of the publication share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dora import Launcher

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


def published(launcher: Launcher) -> Launcher:
    """Return a launcher of the recipe on two GPUs, as published."""
    launcher.slurm_(gpus=2, mem_per_gpu=200, cpus_per_gpu=10, time=4320)
    return launcher.bind({"solver": "clip/main"})


def with_mels(n_mels: int) -> dict[str, Any]:
    """Return the override to mel spectrograms of so many filters."""
    return {"dset.features": [{"name": "MelSpectrum", "n_mels": n_mels}]}


def each(launcher: Launcher) -> Iterator[Launcher]:
    """Yield a launcher for every seed and data set."""
    for seed in SEEDS:
        for dataset in DATASETS:
            yield launcher.bind({"dset": dataset}, seed=seed)


def more_people(launcher: Launcher, dataset: str, people: Sequence[int], tested: int) -> None:
    """Schedule experiments in which more and more people train; the same few are tested."""
    bound = published(launcher).bind({"dset": dataset, "dset.n_subjects_test": tested})
    with launcher.job_array():
        for seed in SEEDS:
            for count in people:
                bound({"dset.n_subjects": count}, seed=seed)

"""Diffusion of EEG at published scale: representations x datasets x conditions x seeds."""

from __future__ import annotations

from dora import Launcher

from ._explorer import DiffusionExplorer

RECIPES = ("eegdiff/bciiv_mel", "eegdiff/bciiv_stft", "eegdiff/raw")
DATASETS = (None, "eegmmidb_windows")  # None: that of the recipe, BCI Competition IV 2a
CONDITIONS: tuple[list[str], ...] = ([], ["class"], ["class", "subject"])
SEEDS = (0, 1, 2)


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule 54 experiments less those whose data have no classes; one GPU each."""
    launcher.slurm_(gpus=1, mem_per_gpu=32, cpus_per_gpu=8, time=2880)
    for recipe in RECIPES:
        for dataset in DATASETS:
            bound = launcher.bind({"solver": recipe} | ({"dset": dataset} if dataset else {}))
            for conditions in CONDITIONS:
                if dataset and "class" in conditions:
                    continue  # windows cut anywhere have no class
                for seed in SEEDS:
                    bound({"model.conditions": conditions}, seed=seed)

"""Every published command of read sentences (ZuCo), and without guidance."""

from __future__ import annotations

from dora import Launcher

from .._explorers import BaseExplorer

RECIPES = ("eegdiff/zuco_mel", "eegdiff/zuco_stft", "eegdiff/zuco_freq1", "eegdiff/zuco_freq8")
SEEDS = (0, 1, 2)


@BaseExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule four representations with and without guidance; one GPU each."""
    launcher.slurm_(gpus=1, mem_per_gpu=64, cpus_per_gpu=8, time=4320)
    for recipe in RECIPES:
        for guidance in (1.0, 3.0):
            for seed in SEEDS:
                launcher({"solver": recipe, "generate.guidance": guidance}, seed=seed)

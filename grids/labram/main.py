"""LaBraM's main tables: three stages, TUAB and TUEV, five seeds, beside networks from scratch."""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer
from ._rows import BASELINES, FROM_SCRATCH, SEEDS, SIZES

TASKS = ("labram/tuab", "labram/tuev")


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule one tokenizer, a masked model of each size, each fine-tuned on both tasks."""
    launcher.slurm_(gpus=8, mem_per_gpu=40, cpus_per_gpu=8, time=10080)
    tokenizer = stage(launcher, {"solver": "labram/tokenizer"})
    masked = launcher.bind({"solver": "labram/pretrain", "tokenizer": tokenizer})
    for size, options in SIZES.items():
        weights = stage(masked, {"model": f"labram/masked_{size}"})
        for task in TASKS:
            for seed in SEEDS:
                launcher({"solver": task, "init_from": weights, **options}, seed=seed)
    for task in TASKS:
        for model in BASELINES:
            for seed in SEEDS:
                launcher({"solver": task, "model": model, **FROM_SCRATCH}, seed=seed)

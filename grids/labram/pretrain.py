"""Masked pre-training of LaBraM at published scale: three sizes on the codes of one tokenizer."""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule base, large and huge."""
    launcher.slurm_(gpus=8, mem_per_gpu=40, cpus_per_gpu=8, time=10080)
    tokenizer = stage(launcher, {"solver": "labram/tokenizer"})
    bound = launcher.bind({"solver": "labram/pretrain", "tokenizer": tokenizer})
    for size in ("base", "large", "huge"):
        bound({"model": f"labram/masked_{size}"})

"""The three stages of Du-IN on simulated depth electrodes, two minutes on two cores."""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import DuinExplorer


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """VQ-VAE, MAE, then words from either, from scratch, and with the head alone."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=20)
    tokenizer = stage(launcher, {"solver": "duin/debug_vqvae"})
    masked = stage(launcher, {"solver": "duin/debug_mae", "tokenizer": tokenizer})
    words = launcher.bind({"solver": "duin/debug"})
    words()
    words({"init_from": tokenizer})
    words({"init_from": masked})
    words({"init_from": masked, "solver.tune_blocks": 0})

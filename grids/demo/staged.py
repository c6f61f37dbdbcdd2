"""Two stages in one grid: the second starts from the weights of the first when it has finished."""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from .._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule a network trained on one subject's trials, then two runs that start from it."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=10)
    network = launcher.bind({"solver": "supervised/debug"})
    up = stage(network, {"seed": 7})
    for seed in (0, 1):
        network({"init_from": up}, seed=seed)

"""Demonstration: a small network against baselines on simulated recordings, three seeds."""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer

SEEDS = (0, 1, 2)


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule motor imagery: a band-power network, EEGNet, LDA, chance; background: LDA."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    network = launcher.bind({"solver": "supervised/motor"})
    for seed in SEEDS:
        network(seed=seed)
        network({"model": "baselines/eegnet"}, seed=seed)
    launcher({"solver": "baseline/lda"})
    launcher({"solver": "baseline/chance"})
    launcher({"solver": "baseline/background"})

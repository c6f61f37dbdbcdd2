"""Real recordings with known results: networks of three seeds against LDA and chance."""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer

SETS = ("scp1", "hand_movement")
NETWORKS = ("eegnet", "conformer", "shallow")
SEEDS = (0, 1, 2)


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule slow potentials in EEG and directions of the wrist in MEG, as competitions had."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    for name in SETS:
        network = launcher.bind({"solver": f"supervised/{name}"})
        launcher({"solver": f"baseline/{name}"})
        launcher({"solver": f"baseline/{name}", "solver.method": "chance"})
        for model in NETWORKS:
            for seed in SEEDS:
                network({"model": f"baselines/{model}_{name}"}, seed=seed)

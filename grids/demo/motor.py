"""The demonstration: two networks that decode rhythms against decoders without training."""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer

SEEDS = (0, 1, 2)


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the references first, then three seeds of each network."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    launcher({"solver": "baseline/chance"})
    launcher({"solver": "baseline/lda"})
    launcher({"solver": "baseline/csp"})
    launcher({"solver": "baseline/csp", "dset": "supervised/simulated_motor_aligned"})
    for seed in SEEDS:
        launcher({"solver": "supervised/motor_power"}, seed=seed)
        launcher({"solver": "supervised/motor_eegnet"}, seed=seed)

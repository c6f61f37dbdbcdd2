"""Do word maps follow their sentence? Simulated reading, beside a condition that is cut off."""

from __future__ import annotations

from dora import Launcher

from ._explorer import MapExplorer

SEEDS = (0, 1, 2)


@MapExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule three seeds with guidance, without, and with the condition always withheld."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    bound = launcher.bind({"solver": "eegdiff/reading_words"})
    for seed in SEEDS:
        for guidance in (1.0, 2.0):
            bound({"generate.guidance": guidance}, seed=seed)
        bound({"solver.drop_condition": 1.0}, seed=seed)

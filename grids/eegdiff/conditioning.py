"""Do generated trials obey their class? Guidance, withheld conditions, and a cut condition."""

from __future__ import annotations

from dora import Launcher

from ._explorer import ObedienceExplorer

GUIDANCE = (1.0, 2.0, 4.0)
SEEDS = (0, 1, 2)


@ObedienceExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule guidance, conditions never withheld, and always withheld: the control."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    bound = launcher.bind({"solver": "eegdiff/motor"})
    for seed in SEEDS:
        for guidance in GUIDANCE:
            bound({"generate.guidance": guidance}, seed=seed)
        for dropped in (0.0, 1.0):  # with 1 the condition reaches nothing that is trained
            bound({"solver.drop_condition": dropped}, seed=seed)

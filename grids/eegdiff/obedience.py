"""Do trials obey their class where the effect is strong? Both paths, guidance, a cut condition."""

from __future__ import annotations

from dora import Launcher

from ._explorer import ObedienceExplorer

RECIPES = ("eegdiff/motor_strong", "eegdiff/motor_strong_flow")
GUIDANCE = (1.0, 2.0, 4.0)
SEEDS = (0, 1, 2)


@ObedienceExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule guidance of both paths, two networks that are told less, and the control.

    Those two have tables of classes that begin small, or a time vector that is only added.
    """
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    for seed in SEEDS:
        for recipe in RECIPES:
            for guidance in GUIDANCE:
                launcher({"solver": recipe, "generate.guidance": guidance}, seed=seed)
        bound = launcher.bind({"solver": RECIPES[1]}, seed=seed)
        bound({"model.condition_sd": 0.02})
        bound({"model.network.scale_shift": False})
        bound({"solver.drop_condition": 1.0})

"""Do generated trials help a classifier with few real ones? Simulated motor imagery.

The evaluation of each experiment holds the table: `extra.obedience.utility` of its evaluation.json.
"""

from __future__ import annotations

from dora import Launcher

from ._explorer import ObedienceExplorer

RECIPES = ("eegdiff/motor", "eegdiff/motor_flow")
SEEDS = (0, 1, 2)


@ObedienceExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule two kinds of generators with three seeds."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    for recipe in RECIPES:
        for seed in SEEDS:
            launcher({"solver": recipe, "solver.n_evaluation": 480}, seed=seed)

"""Does flow matching with 20 evaluations reach 1000 steps of DDPM? Simulated and real EEG.

Both train the same network for the same number of steps; only the way from data to noise differs.
"""

from __future__ import annotations

from dora import Launcher

from ._explorer import DiffusionExplorer

#: Simulated, simulated with a strong effect of the class, and real.
RECIPES = ("eegdiff/motor", "eegdiff/motor_strong", "eegdiff/eegmmidb")
CHAIN = {"generate.sampler": "ddpm", "generate.steps": 1000}
#: Each takes 20 evaluations of the network.
SOLVERS = ("euler", "heun", "midpoint")
SEEDS = (0, 1, 2)


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule a chain of 1000 levels and straight paths with three solvers, on all data."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    for recipe in RECIPES:
        for seed in SEEDS:
            launcher({"solver": recipe}, CHAIN, seed=seed)
            for sampler in SOLVERS:
                launcher({"solver": f"{recipe}_flow", "generate.sampler": sampler}, seed=seed)

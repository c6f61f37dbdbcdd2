"""Do word maps follow their sentence? Simulated reading, beside a condition that is cut off."""

from __future__ import annotations

from dora import Launcher

from ._explorer import MapExplorer

SEEDS = (0, 1, 2)
#: Words as time, and such maps that end where their sentence ends.
SERIES = ("eegdiff/reading_series", "eegdiff/reading_ends")


@MapExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule three seeds of each network, and with the condition always withheld."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    bound = launcher.bind({"solver": "eegdiff/reading_words"})
    for seed in SEEDS:
        for guidance in (1.0, 2.0):
            bound({"generate.guidance": guidance}, seed=seed)
        bound({"solver.drop_condition": 1.0}, seed=seed)
        for recipe in SERIES:
            launcher({"solver": recipe}, seed=seed)
            launcher({"solver": recipe, "solver.drop_condition": 1.0}, seed=seed)

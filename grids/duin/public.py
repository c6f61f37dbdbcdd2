"""Du-IN's main table from the public files alone: stages 1 and 2 see the training trials.

The authors advise so where nobody has the clips, and report weaker pre-training.
"""

from __future__ import annotations

from dora import Launcher

from ._explorer import DuinExplorer
from ._rows import PEOPLE, SEEDS, data, starts


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule what `duin.main` does, pre-trained on windows of 3 s of training trials."""
    launcher.slurm_(gpus=1, mem_per_gpu=32, cpus_per_gpu=8, time=2880)
    for person in PEOPLE:
        words = launcher.bind([*data(person), "solver=duin/cls"])
        for _, options in starts(launcher, person, "duin/trials"):
            for seed in SEEDS:
                words(options, seed=seed)

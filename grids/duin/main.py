"""Du-IN's main table: 12 people, from scratch and from either stage, six seeds.

Needs clips without a task, which the public files lack: `duin.public` is the same from trials.
"""

from __future__ import annotations

from dora import Launcher

from ._explorer import DuinExplorer
from ._rows import PEOPLE, SEEDS, data, starts


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule 24 stages of pre-training, each once, and 216 decoders of words."""
    launcher.slurm_(gpus=1, mem_per_gpu=32, cpus_per_gpu=8, time=2880)
    for person in PEOPLE:
        words = launcher.bind([*data(person), "solver=duin/cls"])
        for _, options in starts(launcher, person):
            for seed in SEEDS:
                words(options, seed=seed)

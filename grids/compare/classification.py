"""Classification: what is best on which data set, at which cost? Same windows, splits and seeds.

Classical decoders (LDA on powers or means, CSP with LDA, Riemannian tangent space with logistic
regression, chance) and networks on three real sets of people, two of competitions, two simulated.
"""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer
from ._rows import Task, schedule

SEEDS = (0, 1, 2)
TASKS = (
    Task("eegmmidb", "eegmmidb", "eegmmidb"),
    Task("eegmat", "eegmat", "eegmat"),
    Task("lda", "motor", "supervised/simulated_motor"),
    Task("background", "background", "simulated_background"),
    # one channel: five of the file are copies of the first, see docs/results.md
    Task("scp1", "scp1", "scp1",
         [f"baselines/{name}_scp1" for name in ("eegnet", "shallow", "conformer")], ()),
    Task("hand_movement", "hand_movement", "hand_movement",
         [f"baselines/{name}_hand_movement" for name in ("eegnet", "shallow", "conformer")],
         [[0.5, 5]]),
)  # fmt: skip


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule all rows of all data sets; a night on two processors, an hour with a GPU."""
    launcher.slurm_(gpus=1, mem_per_gpu=16, cpus_per_gpu=4, time=240)
    for task in TASKS:
        schedule(launcher, task, SEEDS)

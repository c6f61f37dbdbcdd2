"""Classification in minutes: all rows on small simulated motor imagery of eight people."""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer
from ._rows import Task, schedule

STUDY = [{"study": "simulated", "mode": "motor", "preset": "debug", "n_subjects": 8}]
TASK = Task("lda", "motor", "supervised/simulated_motor", options={"dset.studies": STUDY})


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule all rows with a few epochs of one seed."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=30)
    schedule(launcher, TASK, (0,), optim__epochs=8)

"""Transfer of LaBraM-Base to people and sessions that it never saw, on PhysioNet eegmmidb.

Import the published weights first, see `grids/labram/finetune.py`. Learning curves over shots are
in the report; channels are chosen with all shots.
"""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer
from ._rows import CHANNELS, schedule

WEIGHTS = "//hub/labram/labram-base"
PEOPLE = range(8)  # of the data set, each left out in turn: the fewest whose intervals hold
BASE = {
    "solver": "labram/eegmmidb", "model": "labram/base", "init_from": WEIGHTS,
    "dset.split.key": "subject", "best.metric": None, "valid_every": 1000,
}  # fmt: skip


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule shots by people left out, then channels; 408 experiments, a day with one GPU."""
    launcher.slurm_(gpus=1, mem_per_gpu=24, cpus_per_gpu=4, time=240)
    schedule(launcher, BASE, PEOPLE)
    schedule(launcher, BASE, PEOPLE, (None,), [name for name in CHANNELS if name != "all"])
    for session in range(2):  # of two sessions of four: see dset=bci_iv_2a
        options = {**BASE, "dset": "labram/bci_iv_2a", "dset.split.key": "session"}
        schedule(launcher, options, [session], (5, None))

"""Transfer in minutes: a small LaBraM of some simulated people, tuned to few trials of others.

54 cells: six strategies, 1, 5 and all trials of each class, three pairs of people left out.
"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from .._explorers import SupervisedExplorer
from ._rows import schedule

#: Other people than those of the recipe, for the encoder.
OTHERS = {"study": "simulated", "mode": "background", "preset": "tiny", "n_subjects": 240,
          "duration_s": 8.0, "severity": 4.0, "seed": 7}  # fmt: skip
ENCODER = {
    "solver": "labram/transfer", "dset.studies": [OTHERS], "dset.split.left_out": None,
    "dset.split.ratios": {"train": 0.8, "valid": 0.1, "test": 0.1},
}  # fmt: skip


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the encoder, then all cells from its weights."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=20)
    weights = stage(launcher, ENCODER)
    schedule(launcher, {"solver": "labram/transfer", "init_from": weights}, range(3), (1, 5, None))

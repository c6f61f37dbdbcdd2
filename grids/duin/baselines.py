"""Other networks on the words of Du-IN's 12 people, six seeds, as they were compared with it.

Brant needs the sums of neighbours and LaBraM-PopT the places of contacts; the public files have
neither, so that both run on simulated contacts alone.
"""

from __future__ import annotations

from dora import Launcher

from ._explorer import DuinExplorer
from ._rows import PEOPLE, SEEDS, data

#: Recipe -> rate of its windows in Hz; None = 1000, as recorded.
RECIPES = {
    "cnn_bigru": 30,
    "conformer": 250,
    "dewave": 500,
    "tstcc": 400,
    "neurobert": 400,
    "brainbert": None,
    "labram": 200,
    "cls_scratch": None,
}


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule every network of every person, from scratch."""
    launcher.slurm_(gpus=1, mem_per_gpu=32, cpus_per_gpu=8, time=1440)
    for person in PEOPLE:
        for recipe, rate in RECIPES.items():
            options = {"solver": f"duin/{recipe}"} | ({"dset.rate_hz": rate} if rate else {})
            words = launcher.bind(data(person)).bind(options)
            for seed in SEEDS:
                words(seed=seed)

"""Fine-tuning the published weights of LaBraM-Base: TUAB, TUEV, SEED-V and joint angles of MoBI.

Import them first: `python -m scripts.import_checkpoint family=labram path=labram-base.pth`.
"""

from __future__ import annotations

from dora import Launcher

from ._explorer import LabramExplorer
from ._rows import SEEDS

WEIGHTS = "//hub/labram/labram-base"  # the copy below BM_MODELS, ./models by default
TASKS = ("labram/tuab", "labram/tuev")
OTHERS = ("labram/seed_v", "labram/mobi")  # of the paper's appendix


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule all four with five seeds; of the first two also 8 blocks, 4 blocks, the head."""
    launcher.slurm_(gpus=1, mem_per_gpu=40, cpus_per_gpu=8, time=1440)
    for task in TASKS:
        bound = launcher.bind({"solver": task, "init_from": WEIGHTS})
        for seed in SEEDS:
            bound(seed=seed)
        for blocks in (8, 4):
            bound({"solver.tune_blocks": blocks})
        probe = {"solver.tune_blocks": 0, "optim.layer_decay": 1.0, "optim.weight_decay": 0.0}
        bound(probe)
    for task in OTHERS:
        for seed in SEEDS:
            launcher({"solver": task, "init_from": WEIGHTS}, seed=seed)

"""LaBraM's three stages on real recordings of a workstation, against networks from scratch.

Tokenizer and masked model see PhysioNet eegmmidb and the people of eegmat that train; the task is
rest against mental arithmetic of people not seen.
"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer
from ._rows import BASELINES, FROM_SCRATCH

SEEDS = (0, 1, 2)


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule fine-tuned, head alone, from scratch; three networks, LDA and chance."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=120)
    tokenizer = stage(launcher, {"solver": "labram/eegmat_tokenizer"})
    masked = stage(launcher, {"solver": "labram/eegmat_pretrain", "tokenizer": tokenizer})
    tuned = launcher.bind({"solver": "labram/eegmat"})
    probe = {"solver.tune_blocks": 0, "optim.layer_decay": 1.0, "optim.weight_decay": 0.0}
    for seed in SEEDS:
        tuned({"init_from": masked}, seed=seed)
        tuned({"init_from": masked, **probe}, seed=seed)
        tuned({"optim.layer_decay": 1.0}, seed=seed)
        for model in BASELINES:
            tuned({"model": model, **FROM_SCRATCH}, seed=seed)
    launcher({"solver": "baseline/eegmat"})
    launcher({"solver": "baseline/eegmat", "solver.method": "chance"})

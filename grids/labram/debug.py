"""Three stages of LaBraM on simulated caps, two minutes on two cores: does everything run?"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule tokenizer, masked model, then fine-tuned, head alone, and from scratch."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=20)
    tokenizer = stage(launcher, {"solver": "labram/debug_tokenizer"})
    masked = stage(launcher, {"solver": "labram/debug_pretrain", "tokenizer": tokenizer})
    tuned = launcher.bind({"solver": "labram/debug"})
    tuned({"init_from": masked})
    tuned({"init_from": masked, "solver.tune_blocks": 0, "optim.layer_decay": 1.0})
    tuned()

"""Does a masked model learn context? On simulated people, against naive Bayes over neighbours.

For a workstation: a quarter of an hour on two cores. The grid `labram.debug` shows that everything
runs; its masked model is trained for 40 steps and ends where the frequencies of the codes are.
"""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the tokenizer, then the masked model on its codes."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=60)
    tokenizer = stage(launcher, {"solver": "labram/simulated_tokenizer"})
    launcher({"solver": "labram/simulated_pretrain", "tokenizer": tokenizer})

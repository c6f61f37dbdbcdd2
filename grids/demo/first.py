"""What is known before any network: chance, LDA and spatial patterns, in half a minute."""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the references of `demo.motor`, which has them too: they run once."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    for recipe in ("baseline/chance", "baseline/lda", "baseline/csp"):
        launcher({"solver": recipe})

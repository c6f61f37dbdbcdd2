"""Speech decoding on simulated listening, with controls: does everything run and learn?"""

from __future__ import annotations

from dora import Launcher

from ._explorer import ClipExplorer


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule contrastive, shuffled signals, noise, untrained, regression."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=20)
    bound = launcher.bind({"solver": "clip/debug"})
    for seed in (0, 1):
        bound(seed=seed)
    bound({"solver.shuffle_signals": True})
    bound({"solver.wer_random": True, "optim.epochs": 1, "optim.max_batches": 1})
    bound({"untrained": True})
    bound({"solver.loss": "mse"})

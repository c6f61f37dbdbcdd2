"""Diffusion of real EEG on a workstation: three representations against untrained networks."""

from __future__ import annotations

from dora import Launcher

from ._explorer import DiffusionExplorer

MODELS = ("eegdiff/small_raw", "eegdiff/small_stft", "eegdiff/small_mel")
SEEDS = (0, 1)


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule each representation with two seeds, and as it is before training."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=120)
    bound = launcher.bind({"solver": "eegdiff/eegmmidb"})
    for model in MODELS:
        for seed in SEEDS:
            bound({"model": model}, seed=seed)
        bound({"model": model, "untrained": True})

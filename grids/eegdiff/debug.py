"""Diffusion of simulated EEG, a minute on two cores: does everything run?"""

from __future__ import annotations

from dora import Launcher

from ._explorer import DiffusionExplorer


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule waves with and without class, and STFT maps."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=20)
    bound = launcher.bind({"solver": "eegdiff/debug"})
    bound()
    bound({"model.conditions": []})
    bound({"model": "eegdiff/small_stft"})

"""Smallest run of each family on simulated recordings: that it runs, not how good it gets."""

from __future__ import annotations

from dora import Launcher

from .._explorers import BaseExplorer


@BaseExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule one experiment of each family that trains by itself; the longest first."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=60)
    small = ("labram/debug", "duin/debug", "eegdiff/debug", "clip/debug")
    for recipe in ("eeg2speech/debug_autoencoder", *small):
        launcher({"solver": recipe})

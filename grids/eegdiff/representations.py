"""Which representation of simulated motor imagery is best diffused: waves, STFT, mel maps."""

from __future__ import annotations

from dora import Launcher

from ._explorer import DiffusionExplorer

MODELS = ("eegdiff/small_raw", "eegdiff/small_stft", "eegdiff/small_mel")
SEEDS = (0, 1, 2)


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule each representation with three seeds."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    bound = launcher.bind({"solver": "eegdiff/motor"})
    for model in MODELS:
        for seed in SEEDS:
            bound({"model": model, "model.conditions": ["class"]}, seed=seed)

"""Generation of EEG: what is diffused, and how? Same windows, steps of training and seeds.

Simulated motor imagery and real EEG (eegmmidb); waves, whitened waves, complex STFT and mel maps,
each by a chain of noise levels and by straight paths. Each row is judged by the same distances to
the same test windows, beside training windows, phase surrogates and white noise.
"""

from __future__ import annotations

from dora import Launcher

from ..eegdiff._explorer import DiffusionExplorer

RECIPES = ("eegdiff/motor", "eegdiff/eegmmidb")  # simulated and real
MODELS = tuple(f"eegdiff/small_{name}" for name in ("raw", "whitened", "stft", "mel"))
SEEDS = (0, 1, 2)


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule each representation by both ways with three seeds, and before training."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    for recipe in RECIPES:
        for model in MODELS:
            for seed in SEEDS:
                for way in (recipe, f"{recipe}_flow"):
                    launcher({"solver": way, "model": model}, seed=seed)
            launcher({"solver": recipe, "model": model, "untrained": True})

"""Sound from EEG at the published sizes: what the denoiser is trained on, and two of its sizes."""

from __future__ import annotations

from dora import Launcher

from ._explorer import SpeechExplorer
from ._stages import before

SOURCES = ("audio", "eeg", "mixed(0.5)")
SEEDS = (0, 1, 2)


@SpeechExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule one pair of first stages, then 12 denoisers; one GPU each."""
    launcher.slurm_(gpus=1, mem_per_gpu=64, cpus_per_gpu=8, time=4320)
    stages = before(launcher, "eeg2speech/encoders", "eeg2speech/autoencoder")
    for seed in SEEDS:
        bound = launcher.bind({"solver": "eeg2speech/diffusion", "seed": seed, **stages})
        for source in SOURCES:
            bound({"solver.cond.train_source": source})
        launcher({"solver": "eeg2speech/diffusion_medium", "seed": seed, **stages})

"""Encoders, autoencoder and latent diffusion on simulated listening, four minutes on two cores."""

from __future__ import annotations

from dora import Launcher

from ._explorer import SpeechExplorer
from ._stages import before


@SpeechExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the three stages; the denoiser waits for the two before it."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=20)
    stages = before(launcher, "eeg2speech/debug_encoders", "eeg2speech/debug_autoencoder")
    launcher({"solver": "eeg2speech/debug", **stages})

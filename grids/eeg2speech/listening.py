"""Sound from simulated signals of eight people, three seeds: what the whole chain must reach."""

from __future__ import annotations

from dora import Launcher

from ._explorer import SpeechExplorer
from ._stages import chains


@SpeechExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the three stages for each seed."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=60)
    chains(launcher, "listening")

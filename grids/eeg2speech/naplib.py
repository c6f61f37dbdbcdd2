"""Natural speech from ten simulated electrodes, three seeds: the file is below `paths.studies`."""

from __future__ import annotations

from dora import Launcher

from ._explorer import SpeechExplorer
from ._stages import chains


@SpeechExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the three stages for each seed."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=120)
    chains(launcher, "naplib")

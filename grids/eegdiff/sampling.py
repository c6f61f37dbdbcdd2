"""Quality against evaluations of the network, for every sampler of a chain of noise levels."""

from __future__ import annotations

from dora import Launcher

from ._explorer import DiffusionExplorer

#: sampler, evaluations, noise of ddim
CELLS = (
    ("ddpm", 1000, 0.0),
    ("ddpm", 100, 0.0),
    ("ddim", 50, 0.0),
    ("ddim", 20, 0.0),
    ("ddim", 50, 1.0),
    ("dpm", 20, 0.0),
    ("dpm", 10, 0.0),
)


@DiffusionExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule each sampler on simulated motor imagery and on real EEG."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    for recipe in ("eegdiff/motor", "eegdiff/eegmmidb"):
        bound = launcher.bind({"solver": recipe})
        for sampler, steps, eta in CELLS:
            words = {"generate.sampler": sampler, "generate.steps": steps, "generate.eta": eta}
            bound(words)

"""Which of sixteen sounds was just heard: real EEG, three seeds, beside shuffled signals."""

from __future__ import annotations

from dora import Launcher

from ._explorer import ClipExplorer


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule sounds and shuffled signals of fourteen electrodes, three seeds. Expect chance."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=120)
    bound = launcher.bind({"solver": "clip/feis"})
    for seed in (0, 1, 2):
        bound(seed=seed)
        bound({"solver.shuffle_signals": True}, seed=seed)

"""What could make generated sound look better than it is: encoders of shuffled signals."""

from __future__ import annotations

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import SpeechExplorer

SEEDS = (0, 1, 2)


@SpeechExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the debug chain with encoders of true and of shuffled signals, three seeds.

    Shuffled, zero and noise conditions, half-shifted sounds and copies are rows of every table.
    """
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=60)
    autoencoder = stage(launcher, {"solver": "eeg2speech/debug_autoencoder"})
    for seed in SEEDS:
        for shuffled in (False, True):
            changes = {"solver.shuffle_signals": True} if shuffled else {}
            encoders = {"solver": "eeg2speech/debug_encoders", "seed": seed, **changes}
            stages = {
                "solver.encoder": stage(launcher, encoders),
                "solver.autoencoder": autoencoder,
            }
            launcher({"solver": "eeg2speech/debug", "seed": seed, **stages})

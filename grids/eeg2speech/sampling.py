"""How sampling and conditioning change what is heard: guidance, steps, noise, tokens."""

from __future__ import annotations

from dora import Launcher

from ._explorer import SpeechExplorer
from ._stages import before

GUIDANCE = (1.0, 2.0, 3.5, 5.0)
STEPS = (10, 50, 200)
CONDITIONS: tuple[dict[str, str], ...] = (
    {"model.cond.mode": "sequence"},
    {"model.cond.mode": "film"},
    {"model.cond.normalize": "none"},
    {"solver.cond.drop_mode": "batch"},
)


@SpeechExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule simulated listening under each setting."""
    launcher.slurm_(gpus=1, mem_per_gpu=4, cpus_per_gpu=1, time=60)
    stages = before(launcher, "eeg2speech/debug_encoders", "eeg2speech/debug_autoencoder")
    bound = launcher.bind({"solver": "eeg2speech/debug", **stages})
    for guidance in GUIDANCE:
        bound({"generate.guidance": guidance})
    for steps in STEPS:
        for eta in (0.0, 1.0):
            bound({"generate.steps": steps, "generate.eta": eta})
    for condition in CONDITIONS:
        bound(condition)

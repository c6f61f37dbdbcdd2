"""Learning rate against batch size, delay of the brain, bad sensors, on one MEG dataset."""

from __future__ import annotations

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import SEEDS, published

RATES = (1e-4, 3e-4, 6e-4, 1e-3)
SIZES = (32, 64, 128, 256)
#: The published preparation, then sensors repaired instead of clamped.
REPAIRED = [
    {"step": "resample", "rate_hz": 120.0, "method": "sinc"},
    {"step": "autoreject", "window_s": 3.0, "n_windows": 200, "seed": 1234},
]
DELAYS_MS = (0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0)


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule 16 pairs, 7 delays, and 16 recordings with and without bad sensors repaired."""
    bound = published(launcher).bind({"dset": "gwilliams2022"})
    with launcher.job_array():
        for seed in SEEDS:
            sub = bound.bind(seed=seed)
            for rate in RATES:
                for size in SIZES:
                    sub({"optim.lr": rate, "optim.batch_size": size})
            for delay in DELAYS_MS:
                sub({"solver.offset_ms": delay})
            few = sub.bind({"dset.n_recordings": 16})
            few()
            few({"dset.preprocess": REPAIRED, "dset.scale.clamp": 1e12})

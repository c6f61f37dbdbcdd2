"""Word lists alone: short windows, words without sentences."""

from __future__ import annotations

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import SEEDS, published


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule windows from 0.3 s before a word to 0.5 s after its start."""
    bound = published(launcher).bind({"dset": "audio_mous_wl"})
    bound.bind_({"optim.batch_size": 128})
    with launcher.job_array():
        for seed in SEEDS:
            bound(seed=seed)

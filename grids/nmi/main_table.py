"""Table 2: five kinds of targets on four datasets, three seeds; 60 experiments."""

from __future__ import annotations

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import TARGETS, each, published


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule wav2vec 2.0, noise, mel spectrograms, learned from them, and their regression."""
    bound = published(launcher)
    with launcher.job_array():
        for sub in each(bound):
            for overrides in TARGETS.values():
                sub(overrides)

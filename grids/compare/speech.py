"""Speech retrieval: which encoder and which target find what was heard? Same windows, same seeds.

Simulated listening, and real EEG of spoken sounds (FEIS; expect chance). Every row ranks the same
test windows against the same candidates; shuffled signals and an untrained network are controls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dora import Launcher

from ..clip._explorer import ClipExplorer

RECIPES = ("clip/debug", "clip/feis")  # simulated and real
SEEDS = (0, 1, 2)
#: Each differs from the recipe (SimpleConv, contrastive, mel spectrograms) in one thing.
ROWS: tuple[Mapping[str, Any], ...] = (
    {},
    {"model": "clip/convrnn"},
    {"solver.feature_model": "deep_mel"},
    {"solver.loss": "mse"},
    {"solver.shuffle_signals": True},
)


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule all rows of both data sets with three seeds, and a network as it is at first."""
    launcher.slurm_(gpus=1, mem_per_gpu=8, cpus_per_gpu=2, time=240)
    for recipe in RECIPES:
        bound = launcher.bind({"solver": recipe})
        for row in ROWS:
            for seed in SEEDS:
                bound(row, seed=seed)
        bound({"untrained": True})

"""MEG against EEG with as many sensors and as much speech."""

from __future__ import annotations

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import SEEDS, TARGETS, published

#: Recordings, and the share of blocks that is left out of training.
AMOUNTS = {
    "schoffelen2019": (19, 0.0),
    "gwilliams2022": (140, 0.62 * 0.7),
    "broderick2019": (380, 0.21 * 0.7),
}
SENSORS = 128


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule the five rows of the main table, each with 128 sensors."""
    bound = published(launcher).bind({"model.sensors.kept": SENSORS})
    with launcher.job_array():
        for seed in SEEDS:
            for dataset, (recordings, removed) in AMOUNTS.items():
                sub = bound.bind({"dset": dataset, "dset.n_recordings": recordings}, seed=seed)
                if removed:
                    sub.bind_({"dset.remove_ratio": round(removed, 4)})
                for overrides in TARGETS.values():
                    sub(overrides)

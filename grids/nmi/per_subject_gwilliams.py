"""How many people train: tested on the same 3 of gwilliams2022."""

from __future__ import annotations

from typing import Any

from .._explorers import ClipExplorer
from ._common import SEEDS, published

PEOPLE = tuple(range(3, 28, 3))
TESTED = 3


@ClipExplorer
def explorer(launcher: Any) -> None:
    """More and more people."""
    bound = published(launcher).bind({"dset": "gwilliams2022", "dset.n_subjects_test": TESTED})
    with launcher.job_array():
        for seed in SEEDS:
            for people in PEOPLE:
                bound({"dset.n_subjects": people}, seed=seed)

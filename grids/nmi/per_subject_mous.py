"""How many people train: tested on the same 10 of schoffelen2019."""

from __future__ import annotations

from typing import Any

from .._explorers import ClipExplorer
from ._common import SEEDS, published

PEOPLE = tuple(range(10, 101, 10))
TESTED = 10


@ClipExplorer
def explorer(launcher: Any) -> None:
    """More and more people."""
    bound = published(launcher).bind({"dset": "schoffelen2019", "dset.n_subjects_test": TESTED})
    with launcher.job_array():
        for seed in SEEDS:
            for people in PEOPLE:
                bound({"dset.n_subjects": people}, seed=seed)

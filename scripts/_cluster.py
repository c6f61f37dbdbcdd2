"""`slurm=true` of a script: its items as an array of jobs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any


def on_slurm(name: str, gpus: int | None = None) -> Callable[..., Any]:
    """Return a function (function, items) -> results as they come, run as an array of SLURM.

    Args:
        name: of the jobs and of the folder of their logs below `outputs/slurm`.
        gpus: per job; None as in the configuration.
    """
    from bm.train import main
    from bm.xp.cluster import map_array

    slurm = main.get_slurm_config()
    folder = Path(main.dora.dir).resolve() / "slurm" / name
    count = slurm.gpus if gpus is None else gpus
    return functools.partial(map_array, folder=folder, slurm=slurm, name=name, gpus=count)

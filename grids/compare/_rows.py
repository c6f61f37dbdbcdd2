"""Rows of the comparisons: classical decoders and networks on one data set, split as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dora import Launcher

#: One band of rhythms for spatial filters, as Barachant et al. (2012) and Blankertz et al. (2008).
RHYTHMS = [[8, 30]]


@dataclass(frozen=True)
class Task:
    """One data set, and what its rows need.

    Attributes:
        baseline: recipe of LDA; the other classical rows change its method alone.
        network: recipe of the networks.
        dset: data set of all rows: one split, the same windows.
        models: networks.
        bands: of CSP and of the tangent space; empty where one channel has no pattern in space.
        options: of all rows.
    """

    baseline: str
    network: str
    dset: str
    models: Sequence[str] = (
        "baselines/eegnet",
        "baselines/shallow_fbcsp",
        "baselines/conformer",
    )
    bands: Sequence[Sequence[float]] = field(default_factory=lambda: RHYTHMS)
    options: Mapping[str, Any] = field(default_factory=dict)


def schedule(launcher: Launcher, task: Task, seeds: Sequence[int], **training: Any) -> None:
    """Schedule chance, LDA, CSP with LDA, tangent space, and the networks of several seeds.

    Args:
        launcher: of the grid.
        task: data set and rows.
        seeds: of the networks; classical decoders have none.
        training: further keys of the networks, dots as `__`.
    """
    keys = {name.replace("__", "."): value for name, value in training.items()}
    shared = {"dset": task.dset, **task.options}
    classical = {"solver": f"baseline/{task.baseline}", **shared}
    launcher(classical)
    launcher({**classical, "solver.method": "chance"})
    for method in ("csp", "tangent") if task.bands else ():
        launcher({**classical, "solver.method": method, "solver.bands": task.bands})
    for model in task.models:
        for seed in seeds:
            network = {"solver": f"supervised/{task.network}", "model": model, **shared, **keys}
            launcher({**network, "seed": seed})

"""Axes of the transfer grids: strategy, shots, unit left out, channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dora import Launcher

#: Strategy -> its settings. What trains a few parameters takes larger steps than what trains all.
STRATEGIES: dict[str, dict[str, Any]] = {
    "full": {},
    "last block": {"solver.tune_blocks": 1},
    "head": {"solver.tune_blocks": 0, "optim.lr": 1.0e-2},
    "ridge": {"solver.tune": "ridge"},
    "lora": {"solver.tune": "lora", "optim.lr": 5.0e-3},
    "ia3": {"solver.tune": "ia3", "optim.lr": 1.0e-2},
}
SHOTS = (1, 5, 10, 50, None)  # of each class; None = all
#: The 19 scalp electrodes of the 10-20 system, and its parts over the whole head.
TEN_TWENTY = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8",
              "P7", "P3", "Pz", "P4", "P8", "O1", "O2")  # fmt: skip
CHANNELS: dict[str, Sequence[str] | None] = {
    "all": None,
    "10-20": TEN_TWENTY,
    "8": ("F3", "F4", "C3", "Cz", "C4", "Pz", "O1", "O2"),
    "4": ("F3", "F4", "O1", "O2"),
}


def schedule(
    launcher: Launcher,
    options: Mapping[str, Any],
    units: Iterable[int],
    shots: Iterable[int | None] = SHOTS,
    channels: Iterable[str] = ("all",),
) -> None:
    """Schedule every strategy with every number of shots, unit left out and choice of channels.

    Args:
        launcher: of the grid.
        options: of all cells: recipe, weights, data set.
        units: numbers of the units that are left out, one after the other.
        shots: trials of each class; None = all.
        channels: names in `CHANNELS`.
    """
    for strategy, count, unit, choice in product(STRATEGIES.values(), shots, units, channels):
        cell = {**options, **strategy, "dset.split.left_out": unit}
        if count is not None:
            cell["dset.split.shots"] = count
        names = CHANNELS[choice]
        launcher({**cell, **({} if names is None else {"dset.channels": list(names)})})

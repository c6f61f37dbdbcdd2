"""The stages before the denoiser, as grids schedule them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dora import Launcher

from bm.xp.stage import stage

SEEDS = (0, 1, 2)


def chains(launcher: Launcher, data: str) -> None:
    """Schedule encoders, autoencoder and denoiser of `solver=eeg2speech/DATA` for each seed."""
    recipe = f"eeg2speech/{data}"
    for seed in SEEDS:
        stages = before(launcher, f"{recipe}_encoders", f"{recipe}_autoencoder", {"seed": seed})
        launcher({"solver": recipe, "seed": seed, **stages})


def before(
    launcher: Launcher, encoders: str, autoencoder: str, changes: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Schedule encoders and autoencoder; return the keys by which a denoiser names them.

    Args:
        launcher: of the grid.
        encoders, autoencoder: recipes.
        changes: of both, such as the seed.
    """
    shared = dict(changes or {})
    return {
        "solver.encoder": stage(launcher, {"solver": encoders, **shared}),
        "solver.autoencoder": stage(launcher, {"solver": autoencoder, **shared}),
    }

"""Experiments of the shipped grids, listed once a process: 4 s for all of them."""

from __future__ import annotations

import functools

from bm.train import main
from bm.xp.listing import Listed, experiments


@functools.cache
def listed(grid: str) -> tuple[Listed, ...]:
    """Return the experiments of a grid; tests that ask share the worker of group `grid_lists`."""
    return tuple(experiments(grid, main))

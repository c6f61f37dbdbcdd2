"""Smallest grid: a network of two seeds and chance on a few simulated trials, one minute."""

from __future__ import annotations

from dora import Launcher

from .._explorers import SupervisedExplorer


@SupervisedExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule enough to see a grid run, not enough to learn."""
    network = launcher.bind({"solver": "supervised/debug"})
    for seed in (0, 1):
        network(seed=seed)
    launcher({"solver": "baseline/chance"})

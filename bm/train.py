"""Entry of `dora run`: configuration -> solver -> run. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .xp import executor
from .xp.main import bm_main

if TYPE_CHECKING:
    from omegaconf import DictConfig


executor.install()


@bm_main(config_name="config", config_path="../conf")
def main(cfg: DictConfig) -> None:
    """Train, or continue, the experiment that the configuration describes."""
    from .engine.run import Run
    from .solvers import build

    Run(build(cfg)).train()


if __name__ == "__main__":
    main()

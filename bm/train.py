"""Entry of `dora run`: configuration -> solver -> run. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import models
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


# the command line knows no model: it asks here when somebody changes an argument of one
main.resolver.model_arguments = models.arguments_of


if __name__ == "__main__":
    main()

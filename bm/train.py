"""Entry of `dora run`: configuration -> solver -> run. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import models, solvers
from .xp import executor
from .xp.added_keys import AddedKeys
from .xp.main import bm_main

if TYPE_CHECKING:
    from omegaconf import DictConfig


executor.install()


@bm_main(config_name="config", config_path="../conf")
def main(cfg: DictConfig) -> None:
    """Train, or continue, the experiment that the configuration describes."""
    from .engine.run import Run

    Run(solvers.build(cfg)).train()


# the command line knows no model and no solver: it asks here for arguments of one
main.resolver.model_arguments = models.arguments_of
main.resolver.added_keys = AddedKeys(main.resolver.folder, solvers.OPTIONS)


if __name__ == "__main__":
    main()

"""A toy project beside the package: real `dora` commands without data, models or a scheduler."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bm.tests.xp.forked import Command
from bm.tests.xp.project import ROOT, Dora, environment

TRAIN = """
from bm.xp.main import bm_main


@bm_main(config_name="config", config_path="../conf")
def main(cfg):
    import torch.distributed
    from dora import distrib, get_xp
    from bm.errors import UserError

    if cfg.dummy == "mistake":
        raise UserError("this cannot be done")
    if cfg.dummy == "bug":
        raise ZeroDivisionError("a bug")
    xp = get_xp()
    xp.link.load()
    for epoch in range(len(xp.link.history), cfg.optim.epochs):
        xp.link.push_metrics({"train": {"loss": 1.0 / (epoch + 1)}})
    print("workers", distrib.world_size(), "cwd file", __file__)


main.dora.grid_package = "toygrids"
"""
GRIDS = {
    "main": 'for seed in range(3):\n        launcher({"seed": seed, "optim.epochs": 2})',
    "typo": 'launcher({"optim.lrr": 1})',
    "number": 'launcher({"optim.lr": object()})',
    "queue": "launcher.slurm_(gpuss=2)",
    "staged": 'launcher({"init_from": stage(launcher, {"seed": 7})})',
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a project with a package `toy`, our `conf` and small grids."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "conf", folder / "conf")
    for name in ("toy", "toygrids"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    (folder / "toy" / "train.py").write_text(TRAIN)
    for name, body in GRIDS.items():
        (folder / "toygrids" / f"{name}.py").write_text(
            "from dora import Explorer\nfrom bm.xp.stage import stage\n\n\n"
            f"@Explorer\ndef explorer(launcher):\n    {body}\n"
        )
    return folder


@pytest.fixture(scope="module")
def dora(toy: Path) -> Dora:
    """Run `dora WORDS` in the toy project, in a fork of a process that has torch loaded."""
    return lambda *words: Command(toy, *words, environment=environment()).wait()

"""Experiments run in the process of a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bm.engine.run import Run
from bm.solvers import build
from bm.train import main

QUICK = ("threads=1", "device=cpu")


@contextmanager
def opened(folder: Path, *argv: str) -> Iterator[Any]:
    """Yield an experiment below a folder; Dora looks its own folder up again and again."""
    before, main.dora.dir = main.dora.dir, folder
    try:
        xp = main.get_xp([*argv, *QUICK])
        main.init_xp(xp)
        with xp.enter(stack=True):
            yield xp
    finally:
        main.dora.dir = before


def run(folder: Path, *argv: str) -> Any:
    """Run an experiment and return its solver."""
    with opened(folder, *argv) as xp:
        solver = build(xp.cfg)
        Run(solver).train()
    return solver


def history_of(solver: Any) -> list[dict[str, Any]]:
    """Return the epochs that an experiment has written."""
    return json.loads((solver.folder / "history.json").read_text())

"""Experiments that several tests of a file ask for, trained once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bm.engine.run import Run
from bm.solvers import build
from bm.train import main


def experiment(words: Sequence[str]) -> Any:
    xp = main.get_xp([*words, "threads=1", "log.figures=false"])
    main.init_xp(xp)
    return xp


def evaluated(*words: str) -> dict[str, Any]:
    """Return the metrics of the test split, after training where no test has trained it before."""
    xp = experiment(words)
    result = xp.folder / "evaluation.json"
    if not result.exists():
        with xp.enter():
            Run(build(xp.cfg)).train()
    return dict(json.loads(result.read_text())["metrics"])

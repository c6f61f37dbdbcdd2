"""Evaluations of experiments written by hand, for the tests of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from bm.eval.experiments import Experiment


def experiment(sig: str, name: str = "", **keys: object) -> Experiment:
    """An experiment that finished, of `solver` and `dataset` (supervised and d by default)."""
    solver, dataset = keys.pop("solver", "supervised"), keys.pop("dataset", "d")
    dset = {"name": dataset, "studies": [{"study": "eegmat"}]}
    config = OmegaConf.create({"solver": {"name": solver}, "dset": dset, **keys})
    return Experiment(sig, name, Path("absent") / sig, config, "done")


def write_evaluation(
    folder: Path,
    sig: str,
    metrics: Mapping[str, float],
    table: Sequence[str] | None = None,
    chance: Mapping[str, float] | None = None,
) -> None:
    """Write `metrics.json` of an experiment; `table` None: as before evaluations named theirs."""
    (folder / sig).mkdir(parents=True, exist_ok=True)
    extra = {} if table is None else {"table": list(table)}
    content = {"metrics": dict(metrics), "chance": dict(chance or {}), "n_items": 9, "extra": extra}
    (folder / sig / "metrics.json").write_text(json.dumps(content))

"""Training of sealed experiments again, from nothing, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .experiments import Experiment
from .seal import differences

TAIL = 200  # characters of an error that a line shows


def sample_of(experiments: Sequence[Experiment], count: int, seed: int) -> list[Experiment]:
    """Return experiments drawn at random without replacement, in the order of the grid."""
    size = min(count, len(experiments))
    places = np.random.default_rng(seed).choice(len(experiments), size, replace=False)
    return [experiments[place] for place in sorted(places.tolist())]


def rerun(experiment: Experiment, argv: Sequence[str]) -> list[str]:
    """Train an experiment again and compare; return the differences, one line each.

    Upstream experiments are taken as they are: their seals are checked beside it.

    Args:
        experiment: finished.
        argv: its arguments.
    """
    with tempfile.TemporaryDirectory(prefix="bm-verify-") as folder:
        experiments = Path(folder) / experiment.folder.parent.name
        experiments.mkdir()
        for sig in experiment.upstream:
            (experiments / sig).symlink_to((experiment.folder.parent / sig).resolve())
        words = [sys.executable, "-m", "dora", "-P", "bm", "run", "--", *argv]
        environment = {**os.environ, "BM_OUTPUTS": folder}
        process = subprocess.run(words, env=environment, capture_output=True, text=True)
        again = experiments / experiment.sig
        if process.returncode or not (again / "evaluation.json").exists():
            reason = (process.stderr.strip() or process.stdout.strip())[-TAIL:]
            return [f"{experiment.sig}: trained again it failed: {' '.join(reason.split())}"]
        return differences(experiment.folder, again)

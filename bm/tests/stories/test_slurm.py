"""A grid on a real SLURM: the same verbs, from a clone of the commit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bm.xp.executor import slurm_answers

from .test_grid import GRID, ROOT, environment, results

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not slurm_answers(), reason="no SLURM answers here"),
]


def test_grid_completes_with_the_results_of_the_local_queue(tmp_path: Path) -> None:
    """The commit is cloned, so the checkout is copied clean: a dirty one is refused by design."""
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
    outputs = tmp_path / "outputs"
    changed = {**environment(outputs), "BM_EXECUTOR": "slurm", "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-m", "dora", "-P", "bm", "grid", GRID, "-i", "0.05"],
        cwd=checkout, env=changed, capture_output=True, text=True, timeout=300,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout[done.stdout.rindex("Meta") :]
    assert last.count("COM") == 3, last
    found = results(outputs)
    assert len(found) == 3 and all(history for history, _ in found.values())
    assert len(list((outputs / "codes").iterdir())) == 1
    shutil.rmtree(checkout)

"""A run begun at an earlier commit resumes at this one and ends with the same numbers.

`begun_before/e119c4d4` is what `dora run solver=supervised/debug optim.epochs=4 seed=3` left after
two of four epochs at commit a2db58c, when the engine was still in bm/solvers; `undisturbed.json`
holds history and evaluation of the same command run through at that commit on one processor.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bm.tests.experiments import run

BEFORE = Path(__file__).parent / "begun_before"
SIG = "e119c4d4"
pytestmark = pytest.mark.story


def close(value: object) -> object:
    """Return the expected value with a tolerance.

    Resumed on the same recordings the losses are equal bit for bit. Simulated samples differ in
    their last bits with the threads of the linear algebra: that moves them by 8e-7; a resume that
    forgets the state of Adam moves them by 3e-4.
    """
    if isinstance(value, dict):
        return {key: close(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [close(entry) for entry in value]
    return pytest.approx(value, rel=1e-5, abs=1e-9) if isinstance(value, float) else value


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "xps" / SIG
    shutil.copytree(BEFORE / SIG, folder)
    (folder / "best").symlink_to("best-00000")
    return tmp_path


def test_a_run_begun_before_the_rooms_moved_ends_as_the_undisturbed_one(outputs: Path) -> None:
    folder = outputs / "xps" / SIG
    begun, guard = (json.loads((folder / f"{n}.json").read_text()) for n in ("history", "guard"))
    argv = json.loads((folder / ".argv.json").read_text())
    solver = run(outputs, *argv)
    assert solver.xp.sig == SIG and solver.folder == folder
    history = json.loads((folder / "history.json").read_text())
    assert history[:2] == begun  # their times too: nothing was computed again
    for entry in history:
        entry.pop("perf")
    expected = json.loads((BEFORE / "undisturbed.json").read_text())
    assert history == close(expected["history"])
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert 0 < evaluation["extra"].pop("shift_p") <= 1  # evaluations of that time did not have it
    assert evaluation == close(expected["evaluation"])
    assert (folder / "best").resolve().name == "best-00003"
    now = json.loads((folder / "guard.json").read_text())
    assert now["data_hash"] == guard["data_hash"] and now["commit"] == guard["commit"]
    assert guard["config"].items() <= now["config"].items()  # keys may be added, none changes

"""A test trial among the pre-training clips is found, whichever road the clips came by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bm.errors import UserError
from bm.studies.duin.trials import read_run

from ..experiments import run
from ..studies.duin_files import KIND, NAMES, write_clips, write_run

pytestmark = pytest.mark.story
WORDS = ("mouth", "calm", "piano", "bowl")
SMALL = (
    "optim.epochs=1", "optim.batch_size=8", "log.figures=false", "schedule.warmup_epochs=0",
    "model.backbone.patches.filters=[4,4,4]", "model.backbone.blocks.depth=1",
    "model.backbone.blocks.n_heads=2", "model.backbone.blocks.head_width=4",
    "model.backbone.blocks.ff_width=8",
)  # fmt: skip
CODES = ("model.codes.n_codes=8", "model.codes.width=4", "model.head.filters=[4,4,4,4,16]",
         "model.decoder_depth=1")  # fmt: skip


def words_of(root: Path) -> tuple[str, ...]:
    """Words that choose the trials of a miniature."""
    ratios = "{train: 0.5, valid: 0.25, test: 0.25}"
    return f"paths.studies={root}", f"paths.cache={root}/cache", f"dset.split.ratios={ratios}"


def plant(root: Path) -> None:
    """Make clips of the whole word task, which the test trials are in."""
    folder = next(root.rglob("word-recitation")) / "run1" / KIND
    trials = read_run(folder, "differences")
    joined = np.concatenate([array[:, :3000] for array in trials.arrays], axis=1)
    clips = next(root.rglob("dataset.default.1000hz")) / "run1"
    for number, first in enumerate(range(0, joined.shape[1] - 7999, 4000)):
        np.save(clips / f"{number}.npy", joined[None, :, first : first + 8000].astype("f4"))


def test_planted_trials_are_found(tmp_path: Path) -> None:
    write_run(tmp_path, "run1", WORDS * 10, 1)
    write_clips(tmp_path, samples=40_000)
    clean = ("dset=duin/clips", f"paths.studies={tmp_path}", f"paths.cache={tmp_path}/cache",
             "dset.split.ratios={train: 1.0, valid: 0.0, test: 0.0}",
             "dset.split.allow_empty=[valid,test]")  # fmt: skip
    assert len(NAMES) == 12
    outputs = tmp_path / "outputs"
    codes = run(outputs, "solver=duin/vqvae", *clean, *SMALL, *CODES)
    words = ("solver=duin/cls", "dset=duin", *words_of(tmp_path), *SMALL, "model.hidden=[8]")
    run(outputs, *words, f"init_from=//sig/{codes.xp.sig}")

    plant(tmp_path)
    leaky = run(outputs, "solver=duin/vqvae", *clean, *SMALL, *CODES, "dummy=planted")
    with pytest.raises(UserError, match=r"test.*//sig/.*allow_leak=true"):
        run(outputs, *words, f"init_from=//sig/{leaky.xp.sig}", "dummy=planted")

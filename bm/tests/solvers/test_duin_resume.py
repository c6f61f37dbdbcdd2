"""Each stage of Du-IN goes on with the same bits after it was killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ..engine import toy
from ..experiments import history_of, run
from .sound_chain import killed_after

pytestmark = [pytest.mark.story, pytest.mark.endurance]
SHORT = ("optim.epochs=2", "optim.max_batches=3", "optim.batch_size=8", "log.figures=false",
         "checkpoint.every_steps=1")  # fmt: skip
FREE = (
    "dset.studies=[{study: simulated, mode: seeg, preset: debug, n_subjects: 1, n_free: 6,"
    " free_s: 12.0, part: free}]"
)


def same_after_a_kill(folder: Path, *words: str) -> str:
    """Run an experiment whole and killed in its second epoch; return the signature."""
    undisturbed = run(folder / "whole", *words)
    killed_after(folder / "killed", 4, *words)
    resumed = run(folder / "killed", *words)
    states = [torch.load(s.folder / "checkpoint.pt", weights_only=True)["state"]
              for s in (undisturbed, resumed)]  # fmt: skip
    assert toy.same(dict(states[0]["model"]), dict(states[1]["model"]))
    epochs = [[{k: v for k, v in e.items() if k != "perf"} for e in history_of(s)]
              for s in (undisturbed, resumed)]  # fmt: skip
    assert epochs[0] == epochs[1] and len(epochs[0]) >= 2
    return str(undisturbed.xp.sig)


def test_every_stage_ends_as_one_that_was_not_killed(tmp_path: Path) -> None:
    codes = same_after_a_kill(tmp_path, "solver=duin/debug_vqvae", *SHORT, FREE)
    masked = same_after_a_kill(
        tmp_path, "solver=duin/debug_mae", *SHORT, FREE, f"tokenizer=//sig/{codes}"
    )
    same_after_a_kill(tmp_path, "solver=duin/debug", *SHORT, f"init_from=//sig/{masked}")

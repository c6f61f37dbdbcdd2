"""Stages with a discriminator of their own go on with the same bits after they were killed."""

from __future__ import annotations

import pytest
import torch

from ..engine import toy
from ..experiments import history_of, run
from .sound_chain import SHORT, killed_after

pytestmark = [pytest.mark.story, pytest.mark.endurance]
STAGES = {
    "autoencoder": ("solver=eeg2speech/debug_autoencoder", "solver.loss.start=2"),
    "vocoder": (
        "solver=eeg2speech/vocoder", "dset=eeg2speech/simulated_listening",
        "model=eeg2speech/vocoder_small", "solver.audio.duration_s=1.28",
        "solver.segment_samples=3200", "solver.discriminator_width=16", "solver.n_evaluation=4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES)
def test_a_killed_stage_ends_as_one_that_was_not(name, tmp_path) -> None:
    words = (*STAGES[name], *SHORT, "checkpoint.every_steps=1", "optim.max_batches=3",
             "optim.batch_size=2", "log.figures=false")  # fmt: skip
    undisturbed = run(tmp_path / "whole", *words)
    killed_after(tmp_path / "killed", 2, *words)
    resumed = run(tmp_path / "killed", *words)
    states = [
        torch.load(s.folder / "checkpoint.pt", weights_only=True)["state"]
        for s in (undisturbed, resumed)
    ]
    for part in ("model", "discriminator"):
        assert toy.same(dict(states[0][part]), dict(states[1][part])), part
    last = [{k: v for k, v in history_of(s)[-1].items() if k != "perf"}
            for s in (undisturbed, resumed)]  # fmt: skip
    assert last[0] == last[1]
    assert "loss" in last[0]["test"]

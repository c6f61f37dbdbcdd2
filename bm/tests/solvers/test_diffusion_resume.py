"""Text, word maps, straight paths and whitened waves go on with the same bits after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ..engine import toy
from ..experiments import history_of, run
from .sound_chain import killed_after

pytestmark = [pytest.mark.story, pytest.mark.endurance]
VARIANTS = {
    "text": ("solver=eegdiff/debug_text",),
    "maps": ("solver=eegdiff/debug_words", "dset.split.ratios={train: 0.5, valid: 0.2, test: 0.3}"),
    "flow": (
        "solver=eegdiff/debug", "model=eegdiff/small_raw", "model.noise.path=linear",
        "generate.sampler=heun",
    ),
    "whitened": ("solver=eegdiff/debug",),
    "strong": ("solver=eegdiff/motor_strong",),
    "strong flow": ("solver=eegdiff/motor_strong_flow",),
    "series": ("solver=eegdiff/reading_series",),
    "ends": ("solver=eegdiff/reading_ends",),
}  # fmt: skip
SHORT = ("threads=1", "device=cpu", "optim.epochs=2", "optim.max_batches=2", "generate.steps=2",
         "generate.n=1", "checkpoint.every_steps=1", "log.figures=false",
         "solver.n_evaluation=24", "solver.n_resamples=10", "schedule.warmup_steps=1")  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_a_killed_variant_ends_as_one_that_was_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BM_CACHE", str(tmp_path / "cache"))
    words = (*VARIANTS[name], *SHORT)
    undisturbed = run(tmp_path / "whole", *words)
    killed_after(tmp_path / "killed", 3, *words)  # in the middle of the second epoch
    resumed = run(tmp_path / "killed", *words)
    states = [
        torch.load(s.folder / "checkpoint.pt", weights_only=True)["state"]
        for s in (undisturbed, resumed)
    ]
    for part in ("model", "optimizer", "ema"):
        assert toy.same(dict(states[0][part]), dict(states[1][part])), part
    last = [{k: v for k, v in history_of(s)[-1].items() if k != "perf"}
            for s in (undisturbed, resumed)]  # fmt: skip
    assert last[0] == last[1] and "loss" in last[0]["test"]

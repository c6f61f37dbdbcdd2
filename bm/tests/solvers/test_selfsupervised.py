"""Self-supervised training through the shared loop, on simulated depth electrodes."""

from __future__ import annotations

import json

import pytest

from bm.errors import UserError

from ..experiments import history_of, run
from .small_seeg import CLIPS

pytestmark = pytest.mark.story


def test_two_views_are_told_from_those_of_other_windows(tmp_path) -> None:
    solver = run(
        tmp_path, "solver=duin/tstcc_contrast", *CLIPS, "optim.epochs=6", "optim.lr=2e-3",
        "schedule.warmup_epochs=0", "model.filters=[8,8,16]", "model.steps=10", "model.context=16",
    )  # fmt: skip
    history = history_of(solver)
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]
    assert "chance_loss" not in history[0]["train"]
    stored = json.loads((solver.folder / "evaluation.json").read_text())
    assert set(stored["metrics"]) >= {"loss", "temporal", "contextual"}
    assert set(stored["chance"]) == {"loss", "temporal", "contextual"}
    assert stored["chance"]["temporal"] > 0


def test_a_network_without_a_loss_of_its_own_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="no loss of its own without labels"):
        run(tmp_path, "solver=duin/tstcc_contrast", *CLIPS, "model=baselines/tstcc")

"""The metric that decides which epoch is best is checked before the first one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bm.engine.run import Run
from bm.engine.state import unchanged
from bm.errors import UserError
from bm.solvers import build
from bm.train import main

from . import toy

COUNTED = 1  # steps of stage valid before training: FLOP are counted


class Recording(toy.Toy):
    """The toy that remembers the stages of its steps."""

    stages: list[str] = []

    def step(self, batch, stage):
        self.stages.append(stage)
        return super().step(batch, stage)


class Unprobed(toy.Toy):
    """The toy that knows its names without a step."""

    def valid_metrics(self, batch):
        return {"loss", "accuracy"}


def test_a_mistyped_metric_costs_no_training(tmp_path: Path) -> None:
    stages: list[str] = []
    with pytest.raises(UserError, match=r"best\.metric 'acuracy' unknown; did you mean 'accuracy'"):
        toy.run(tmp_path, "best.metric=acuracy", kind=Recording, stages=stages)
    assert stages == ["valid"]
    assert not (tmp_path / "xps/toy/checkpoint.pt").exists()


def test_the_check_leaves_no_trace(tmp_path: Path) -> None:
    words = ("best.metric=accuracy", "best.mode=max")
    toy.run(tmp_path / "one", *words)
    toy.run(tmp_path / "two", *words, kind=Unprobed)
    assert toy.same(toy.outcome(tmp_path / "one"), toy.outcome(tmp_path / "two"))


def test_without_a_metric_of_the_user_nothing_is_tried(tmp_path: Path) -> None:
    stages: list[str] = []
    toy.run(tmp_path, "optim.epochs=1", kind=Recording, stages=stages)
    assert stages.index("train") == COUNTED


def test_a_finished_epoch_is_not_checked_again(tmp_path: Path) -> None:
    words = ("best.metric=accuracy", "best.mode=max")
    toy.run(tmp_path, "optim.epochs=1", *words)
    (tmp_path / "xps/toy/finished.json").unlink()
    stages: list[str] = []
    toy.run(tmp_path, "optim.epochs=2", "allow_change=true", *words, kind=Recording, stages=stages)
    assert stages.index("train") == COUNTED


def test_statistics_and_codebooks_come_back() -> None:
    linear = torch.nn.Linear(3, 2)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(3), linear)
    linear.bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with unchanged(model), torch.no_grad():
        model(torch.randn(8, 3))
        linear.bias += 1.0
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())


@pytest.mark.story
def test_a_classifier_has_no_perplexity(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(main.dora, "dir", tmp_path)
    xp = main.get_xp(["solver=supervised/debug", "best.metric=perplexity"])
    main.init_xp(xp)
    with xp.enter(), pytest.raises(UserError, match=r"best\.metric 'perplexity' unknown"):
        Run(build(xp.cfg)).train()
    assert not (xp.folder / "checkpoint.pt").exists()


@pytest.mark.story
def test_a_codebook_that_counts_in_evaluation_is_as_it_was(tmp_path, monkeypatch) -> None:
    """The check is an evaluation before the codebook has begun."""
    weights = []
    for name, metric in (("one", "null"), ("two", "loss")):
        monkeypatch.setattr(main.dora, "dir", tmp_path / name)
        xp = main.get_xp(
            ["solver=labram/debug_tokenizer", "optim.epochs=1", "optim.max_batches=4",
             "model.count_in_eval=true", "log.figures=false", f"best.metric={metric}"]
        )  # fmt: skip
        main.init_xp(xp)
        with xp.enter():
            solver = build(xp.cfg)
            Run(solver).train()
        weights.append(solver.model.state_dict())
    assert all(torch.equal(weights[0][n], weights[1][n]) for n in weights[0])

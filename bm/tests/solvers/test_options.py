from __future__ import annotations

import pytest
import torch
from torch import nn

from bm.errors import UserError
from bm.solvers.optim import build_optimizer, parameter_groups

from . import toy


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_low_precision_stays_near_fp32(tmp_path, name):
    toy.run(tmp_path / "full", dropout=0.0)
    toy.run(tmp_path / "low", f"precision={name}", dropout=0.0)
    full, low = (toy.outcome(tmp_path / f)["history"][-1]["valid"]["loss"] for f in ("full", "low"))
    assert low == pytest.approx(full, rel=0.05) and low != full


def test_show_and_download_train_nothing(tmp_path, capsys):
    toy.run(tmp_path, "show=true")
    shown = capsys.readouterr().out
    assert "parameters 74" in shown and "forward pass" in shown
    toy.run(tmp_path, "download_only=true")
    assert not (tmp_path / "xps/toy/checkpoint.pt").exists()


def test_threads_come_from_the_checkpoint(tmp_path):
    toy.run(tmp_path)
    (tmp_path / "xps/toy/finished.json").unlink()
    assert toy.run(tmp_path, "threads=2").progress.threads == 1
    assert torch.get_num_threads() == 1


def test_norms_and_biases_may_stay_undecayed():
    model = nn.Linear(3, 2)
    assert len(parameter_groups(model, True)) == 1
    assert parameter_groups(model, False)[1]["weight_decay"] == 0.0
    with pytest.raises(UserError, match="did you mean 'adamw'"):
        build_optimizer(model, {"name": "adammw"})
    with pytest.raises(UserError, match="no trainable"):
        parameter_groups(model.requires_grad_(False), True)


def test_examples_are_made_in_time_and_move_nothing(tmp_path, monkeypatch):
    made = []

    def generate(solver):
        made.append((solver.progress.epoch, torch.rand(3).tolist()))

    toy.run(tmp_path / "without")
    monkeypatch.setattr(toy.Toy, "generate", generate)
    toy.run(tmp_path / "with", "generate.every=2")
    epochs = [epoch for epoch, _ in made]
    assert epochs[:-1] == [e for e in range(1, epochs[-1] + 1) if e % 2 == 0]
    with_, without = toy.outcome(tmp_path / "with"), toy.outcome(tmp_path / "without")
    losses = [[h["train"]["loss"] for h in o["history"]] for o in (with_, without)]
    assert losses[0] == losses[1]

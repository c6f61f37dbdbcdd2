from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bm.engine.optim import build_optimizer, parameter_groups
from bm.errors import UserError

from . import toy


def test_low_precision_stays_near_fp32(tmp_path):
    toy.run(tmp_path / "full", dropout=0.0)
    toy.run(tmp_path / "low", "precision=bf16", dropout=0.0)
    full, low = (toy.outcome(tmp_path / f)["history"][-1]["valid"]["loss"] for f in ("full", "low"))
    assert low == pytest.approx(full, rel=0.05) and low != full


def test_what_a_processor_does_not_train_is_refused_at_once(tmp_path, monkeypatch, caplog):
    with pytest.raises(UserError, match="fp16: half precision trains on a GPU only"):
        toy.run(tmp_path / "half", "precision=fp16")
    assert not (tmp_path / "half/xps/toy").exists()
    toy.run(tmp_path / "look", "precision=fp16", "show=true")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with caplog.at_level("INFO"):
        toy.run(tmp_path / "slow", "precision=bf16", "optim.epochs=1")
    assert "no instructions for it; fp32 is faster" in caplog.text


@pytest.mark.parametrize("device", ["gpu", "mps", "cuda:77", "meta"])
def test_a_device_that_is_not_there_is_one_line(tmp_path, device):
    with pytest.raises(UserError, match=device):
        toy.run(tmp_path, f"device={device}")


class WandbError(Exception):
    """An error by the name of W&B's own."""


WandbError.__module__ = "wandb.errors"


def test_wandb_without_package_key_or_network_is_one_line(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "keys"))
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="wandb is not installed"):
        toy.run(tmp_path / "a", "wandb.mode=offline")

    def init(**options):
        raise WandbError("permission denied\nand more")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    with pytest.raises(UserError, match="no key of W&B; run `wandb login`"):
        toy.run(tmp_path / "b", "wandb.mode=online")
    (tmp_path / "keys").write_text("machine api.wandb.ai login user password " + 40 * "a")
    with pytest.raises(UserError, match="permission denied; mend it"):
        toy.run(tmp_path / "c", "wandb.mode=online")


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
    draws = []

    def generate(solver):
        draws.append((solver.progress.epoch, torch.rand(3).tolist()))

    toy.run(tmp_path / "without")
    monkeypatch.setattr(toy.Toy, "generate", generate)
    toy.run(tmp_path / "with", "generate.every=2")
    epochs = [epoch for epoch, _ in draws]
    assert epochs[:-1] == [e for e in range(1, epochs[-1] + 1) if e % 2 == 0]
    with_, without = toy.outcome(tmp_path / "with"), toy.outcome(tmp_path / "without")
    losses = [[h["train"]["loss"] for h in o["history"]] for o in (with_, without)]
    assert losses[0] == losses[1]


def test_figures_are_drawn_at_the_end(tmp_path):
    toy.run(tmp_path / "without")
    assert not (tmp_path / "without/xps/toy/figures").exists()
    toy.run(tmp_path / "with", "log.figures=true")
    text = (tmp_path / "with/xps/toy/figures/curves.svg").read_text()
    assert "epoch" in text and "simulated data" in text


class Pretrained(toy.Toy):
    """Saves and starts in the form of real models."""

    def build_model(self, facts):
        model = super().build_model(facts)
        model.bm_arguments = {"name": None, "target": None, "arguments": {}}
        return model

    def save_model(self, folder):
        from safetensors.torch import save_file

        save_file(self.model.state_dict(), folder / "model.safetensors")
        (folder / "config.json").write_text("{}")

    def load_model(self, folder):
        from safetensors.torch import load_file

        self.model.load_state_dict(load_file(folder / "model.safetensors"))


class Wider(Pretrained):
    """The same trunk with another head."""

    def build_model(self, facts):
        model = super().build_model(facts)
        model[3] = nn.Linear(8, 3)
        return model


def test_init_from_starts_at_the_upstream_weights(tmp_path):
    up = toy.run(tmp_path / "up", kind=Pretrained)
    address = f"init_from=//file/{tmp_path}/up/xps/toy/best"
    down = toy.run(tmp_path / "down", address, "optim.lr=0", "optim.epochs=1", kind=Pretrained)
    assert toy.same(dict(up.model.state_dict()), dict(down.model.state_dict()))
    with pytest.raises(UserError, match="2 wrong shape"):
        toy.run(tmp_path / "strict", address, kind=Wider)
    wide = toy.run(
        tmp_path / "wide", address, "init_partial=true", "optim.lr=0", "optim.epochs=1", kind=Wider
    )
    assert torch.equal(wide.model[1].weight, up.model[1].weight)
    assert wide.model[3].weight.shape == (3, 8)
    # a continued run takes the checkpoint's weights: the upstream may be gone by then
    (tmp_path / "wide/xps/toy/finished.json").unlink()
    (tmp_path / "up/xps/toy/best/model.safetensors").unlink()
    again = ("init_partial=true", "optim.lr=0", "optim.epochs=1")
    assert not toy.run(tmp_path / "wide", address, *again, kind=Wider).progress.position


def test_tensorboard_holds_every_epoch(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    toy.run(tmp_path, "log.tensorboard=true")
    events = EventAccumulator(str(tmp_path / "xps/toy/tensorboard")).Reload()
    losses = [event.value for event in events.Scalars("valid/loss")]
    expected = [entry["valid"]["loss"] for entry in toy.outcome(tmp_path)["history"]]
    assert losses == pytest.approx(expected) and "perf/items_per_s" in events.Tags()["scalars"]


def test_wandb_offline_needs_no_network_and_keeps_the_name(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing answers there
    monkeypatch.setenv("WANDB_SILENT", "true")
    toy.run(tmp_path, "wandb.mode=offline", "optim.epochs=2")
    (run,) = (tmp_path / "xps/toy/wandb").glob("offline-run-*-toy")
    until = time.monotonic() + 30  # W&B writes from a process of its own
    while b"perf/items_per_s" not in (written := next(run.glob("*.wandb")).read_bytes()):
        assert time.monotonic() < until, written
        time.sleep(0.1)
    assert b"valid/loss" in written
    with pytest.raises(UserError, match="did you mean 'offline'"):
        toy.run(tmp_path / "typo", "wandb.mode=ofline")


def test_averaged_weights_are_what_is_evaluated_and_kept(tmp_path):
    """Fault 19 of LaBraM's code: the average was updated and never evaluated."""
    seen = []

    class Watched(toy.Toy):
        def step(self, batch, stage):
            if stage == "valid":
                seen.append(self.model[1].weight.detach().clone())
            return super().step(batch, stage)

    toy.run(tmp_path, "ema.decay=0.9", "optim.epochs=1", kind=Watched)
    outcome = toy.outcome(tmp_path)
    assert torch.equal(outcome["best"]["1.weight"], seen[-1])
    assert not torch.allclose(outcome["state"]["model"]["1.weight"], seen[-1], atol=1e-4)

"""Parameter groups, layer-wise rates and the schedule of the weight decay."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bm.engine.optim import build_optimizer, parameter_groups, set_rates
from bm.engine.schedule import decay_schedule
from bm.engine.uncompiled import plain
from bm.errors import UserError
from bm.models.labram.classifier import LaBraM
from bm.models.labram.masked import LaBraMMasked
from bm.models.labram.tokenizer import VQNSP

from . import toy
from .toy import schedule

SMALL = {"width": 100, "depth": 3, "n_heads": 5, "n_filters": 4}
OPTIM = {"name": "adamw", "lr": 1.0, "betas": [0.9, 0.98], "eps": 1e-8, "weight_decay": 0.05}


def groups_by_name(model, **options):
    names = {id(p): n for n, p in model.named_parameters()}
    groups = {}
    for group in parameter_groups(model, False, **options):
        for parameter in group["params"]:
            groups[names[id(parameter)]] = group
    return groups


def test_rates_shrink_towards_the_input():
    groups = groups_by_name(LaBraM(2, SMALL), layer_decay=0.65)
    scales = {n: g["lr_scale"] for n, g in groups.items()}
    assert scales["patch_embed.conv1.weight"] == scales["cls_token"] == pytest.approx(0.65**4)
    assert [scales[f"blocks.{i}.mlp.fc1.weight"] for i in range(3)] == pytest.approx(
        [0.65**3, 0.65**2, 0.65]
    )
    assert scales["head.weight"] == scales["fc_norm.bias"] == scales["time_embed"] == 1
    assert len(groups) == sum(1 for _ in LaBraM(2, SMALL).parameters())


def test_what_is_never_decayed():
    masked = groups_by_name(LaBraMMasked(SMALL, 8))
    assert "weight_decay" not in masked["student.mask_token"]  # 3-D, and not on the list
    tokenizer = groups_by_name(VQNSP(SMALL, SMALL, 8, 8))
    names = (
        "cls_token",
        "pos_embed",
        "time_embed",
        "blocks.0.norm1.weight",
        "blocks.0.attn.proj.bias",
    )
    spared = [f"{part}.{name}" for part in ("encoder", "decoder") for name in names]
    assert all(tokenizer[name]["weight_decay"] == 0 for name in spared)
    assert "weight_decay" not in tokenizer["decoder.patch_embed.proj.weight"]
    assert "quantiser.codebook" not in tokenizer


def test_layers_of_a_model_without_are_refused():
    with pytest.raises(UserError, match=r"layer_decay=0\.5: Linear has no numbered layers"):
        build_optimizer(nn.Linear(2, 2), {**OPTIM, "layer_decay": 0.5})


def test_rates_of_a_step_keep_the_scales():
    options = {**OPTIM, "decay_norm_bias": False, "layer_decay": 0.65}
    optimiser = build_optimizer(LaBraM(2, SMALL), options)
    before = {round(g["lr_scale"], 9) for g in optimiser.param_groups}
    set_rates(optimiser, 0.1, 0.02)
    for group in optimiser.param_groups:
        assert group["lr"] == pytest.approx(0.1 * group["lr_scale"])
        assert group["weight_decay"] in (0, 0.02)
    assert before == {round(0.65**k, 9) for k in range(5)}
    assert {g["weight_decay"] for g in optimiser.param_groups} == {0, 0.02}


def test_weight_decay_falls_along_half_a_cosine():
    assert decay_schedule({"name": "constant"}, 0.05, 2, 5) is None
    decay = decay_schedule({"weight_decay_end": 0.5}, 0.1, 2, 5)
    assert [decay.at(i) for i in (0, 5)] == pytest.approx([0.1, 0.3])
    assert 0.48 < decay.at(9) < 0.5  # the end itself is never reached


def test_the_loop_moves_the_weight_decay(tmp_path):
    solver = toy.run(tmp_path, "optim.weight_decay=0.1", "schedule.weight_decay_end=0.5")
    last = solver.run.decay.at(solver.progress.step - 1)
    assert {g["weight_decay"] for g in solver.run.optimizer.param_groups} == {last}
    assert last > 0.4


def test_warm_up_by_steps_needs_no_epochs():
    ours = schedule(1.0, 2, 10, warmup_steps=4, warmup_epochs=0, warmup_form="inclusive")
    assert [ours.at(i) for i in range(5)] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])


def test_a_step_with_frozen_blocks_moves_the_head_only():
    model = LaBraM(2, SMALL)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("head."))
    optimiser = build_optimizer(model, {**OPTIM, "decay_norm_bias": False, "layer_decay": 0.65})
    assert sum(len(g["params"]) for g in optimiser.param_groups) == 2
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    model(torch.randn(2, 128, 200)).sum().backward()
    optimiser.step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"head.weight", "head.bias"}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_one_kernel_on_a_processor_steps_like_the_loop(name):
    def trained(fused):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3))
        optimizer = build_optimizer(model, {**OPTIM, "name": name, "lr": 0.01, "momentum": 0.9})
        assert all(group["fused"] for group in optimizer.param_groups)
        for group in optimizer.param_groups:
            group.update(fused=fused, foreach=False)
        for _ in range(20):
            model(torch.randn(4, 5)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        return nn.utils.parameters_to_vector(model.parameters())

    torch.testing.assert_close(trained(True), trained(False), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_plain_steps_are_those_of_torch(name: str) -> None:
    """They agree bit for bit, saved and restored, without the compiler that torch would import."""
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    networks = [nn.Linear(5, 3) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    rates = {"lr": 0.1, "weight_decay": 0.05}
    optimizers = [
        kind(network.parameters(), **rates)
        for kind, network in zip((kinds[name], plain(kinds[name])), networks, strict=True)
    ]
    assert isinstance(optimizers[1], kinds[name])
    for k in range(4):
        x = torch.randn(7, 5)
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
        if k == 1:
            optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(one, other) and other.requires_grad


@pytest.mark.story
def test_a_run_does_not_import_the_compiler(tmp_path: Path) -> None:
    """Symptom: the first step of a trivial run waited for torch's compiler and sympy."""
    code = (
        "import sys; from pathlib import Path; from bm.tests.experiments import run;"
        f"run(Path({str(tmp_path)!r}), 'solver=supervised/debug', 'optim.epochs=1',"
        " 'optim.max_batches=1', 'log.figures=false');"
        "sys.exit(str(found) if (found := {'torch._dynamo', 'sympy'} & set(sys.modules)) else 0)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-500:]

"""LoRA, IA3 and ridge probes: what trains, what is saved, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bm.data.batch import Batch
from bm.engine.run import Run
from bm.errors import UserError
from bm.metrics.ridge import class_targets, fit_ridge
from bm.models import load
from bm.models.duin.classifier import DuinClassifier
from bm.models.labram.classifier import LaBraM
from bm.solvers import build
from bm.solvers.supervised.adapters import adapted, add_adapters, merged, neutralise, plain_layers
from bm.solvers.supervised.tuning import head_inputs, linear_head, prepare, set_head

from ...experiments import history_of, opened, run
from ...shipped import section

pytest.importorskip("peft", reason="LoRA and IA3 need the optional library peft")
SMALL = {"width": 100, "depth": 2, "n_heads": 5, "n_filters": 4}
X = 50 * torch.randn(6, 2, 400, generator=torch.Generator().manual_seed(0))


def labram(**changes: Any) -> LaBraM:
    torch.manual_seed(0)
    return LaBraM(2, {**SMALL, **changes}, ["CZ", "PZ"]).eval()


def duin() -> DuinClassifier:
    torch.manual_seed(0)
    return DuinClassifier(4, 1, 3000, 3, {"blocks": {"depth": 2}}, hidden=()).eval()


def trained(model: Any, x: torch.Tensor, steps: int = 3) -> Any:
    parts = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parts, 0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("name", ["base", "large", "huge"])
def test_rank_eight_is_at_most_two_percent_of_the_published_sizes(name: str) -> None:
    options = section("model", f"labram/{name}")
    with torch.device("meta"):
        model = LaBraM(6, options["backbone"])
        whole = sum(p.numel() for p in model.parameters())
        prepare(model, {"tune": "lora", "adapter": {"rank": 8}})
    adapters = sum(p.numel() for n, p in model.named_parameters() if "lora_" in n)
    trains = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trains == adapters + sum(p.numel() for p in model.head.parameters())
    assert 0.001 < trains / whole <= 0.02


@pytest.mark.parametrize("kind", ["lora", "ia3"])
@pytest.mark.parametrize("network", [labram, duin])
def test_every_adapter_learns_and_nothing_else_does(kind: str, network: Any) -> None:
    """Attention multiplies by the weights of its maps itself: an adapter must not be passed by."""
    model, x = network(), X if network is labram else torch.randn(2, 4, 3000)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    first = model(x)
    add_adapters(model, kind)
    torch.testing.assert_close(model(x), first)  # adapters begin as nothing
    trained(model, x)
    for name, parameter in model.named_parameters():
        if "lora_" in name or "ia3_" in name:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    with plain_layers(model):
        moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n in before if n.startswith("head.")}


@pytest.mark.parametrize("kind", ["lora", "ia3"])
@pytest.mark.parametrize("changes", [{}, {"qkv_bias": True}])
def test_merged_weights_compute_the_same_and_load_like_any(kind: str, changes: Any) -> None:
    model = labram(**changes)
    add_adapters(model, kind, rank=4)
    trained(model, X)
    state = {n: t.clone() for n, t in model.state_dict().items()}
    plain = merged(model)
    assert not adapted(plain) and plain.state_dict().keys() == labram(**changes).state_dict().keys()
    torch.testing.assert_close(plain(X), model(X), rtol=1e-4, atol=1e-4)
    for name, tensor in model.state_dict().items():  # untouched, to the bit
        assert torch.equal(tensor, state[name])
    with plain_layers(model):
        model.load_state_dict(plain.state_dict())
    neutralise(model)
    torch.testing.assert_close(model(X), plain(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tune": "lora", "adapter": {"targets": ["qkw"]}}, "no linear layer 'qkw'; did you mean"),
        ({"tune": "lora", "adapter": {"rank": 0}}, "rank=0"),
        ({"tune": "lora", "adapter": {"ranks": 8}}, "unknown option 'ranks'"),
        ({"tune": "lorra"}, "unknown solver.tune 'lorra'; did you mean 'lora'"),
        ({"tune": "ia3", "tune_blocks": 1}, "tune_blocks=1: solver.tune=ia3 trains no block"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        prepare(labram(), options)


def test_models_without_a_head_that_is_known_are_refused() -> None:
    for kind in ("lora", "ridge"):
        with pytest.raises(UserError, match="Linear does not say which part is its head"):
            prepare(torch.nn.Linear(2, 2), {"tune": kind})
    several = DuinClassifier(4, 1, 3000, 3, {"blocks": {"depth": 1}})
    with pytest.raises(UserError, match="2 linear layers, not one; set"):
        prepare(several, {"tune": "ridge"})


def test_a_ridge_head_is_the_closed_form() -> None:
    model, labels = labram(), torch.tensor([0, 1, 0, 1, 1, 0])
    batch = Batch.__new__(Batch)
    object.__setattr__(batch, "label", labels)
    object.__setattr__(batch, "signal", X)
    features, targets = head_inputs(model, lambda b: model(b.signal), [batch])
    np.testing.assert_allclose(features, model.features(X).detach(), rtol=1e-6)
    ridge = fit_ridge(features, class_targets(targets, 2))
    set_head(linear_head(model), ridge, 2.0)
    expected = 2.0 * ridge.outputs(features)
    np.testing.assert_allclose(model(X).detach(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.story
def test_adapters_go_through_a_run_and_a_ridge_probe_too(tmp_path: Path) -> None:
    words = ("solver=labram/debug", "log.figures=false", "dset.split.seed=5", "optim.epochs=1")
    solver = run(tmp_path, *words, "solver.tune=lora", "optim.lr=0.01")
    saved = load(solver.folder / "best")
    assert not adapted(saved)
    first = solver.evaluate("test")
    with opened(tmp_path, *words, "solver.tune=lora", "optim.lr=0.01") as xp:
        again = Run(build(xp.cfg)).reevaluate("test")
    assert again.metrics == first.metrics
    probe = (
        *words[:-1],
        "solver.tune=ridge",
        f"init_from=//file/{solver.folder / 'best'}",
    )
    begun = time.process_time()
    ridge = run(tmp_path, *probe)
    assert time.process_time() - begun < 30
    head = load(ridge.folder / "best").head.weight
    assert not torch.equal(head, saved.head.weight)
    assert "test" in history_of(ridge)[-1]

"""EEGNet, the shallow network and the EEG Conformer against plain forms of their papers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model, load, save
from bm.models.baselines.conformer import EEGConformer
from bm.models.baselines.eegnet import EEGNet
from bm.models.baselines.shallow import EPSILON, ShallowFBCSPNet

FACTS = DataFacts(("C3", "Cz", "C4"), 125.0, 250, classes=("a", "b", "c", "d"))
NAMES = ("eegnet", "shallow_fbcsp", "conformer")


def windows(items: int = 4, samples: int = 250, seed: int = 0) -> torch.Tensor:
    """Windows as the loader gives them: a transposed view."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(items, samples, 3, generator=generator).transpose(1, 2)


def built(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build_model({"name": name, **changes}, FACTS)


@pytest.mark.parametrize("name", NAMES)
def test_an_item_does_not_depend_on_its_batch(name: str) -> None:
    model = built(name).eval()
    x = windows()
    alone = torch.cat([model(one[None]) for one in x])
    torch.testing.assert_close(model(x), alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = built(name)
    model(windows()).square().sum().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_in_training_alone(name: str) -> None:
    model = built(name)
    x = windows()
    assert not torch.equal(model.train()(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_gives_the_same_values(name: str, tmp_path: Path) -> None:
    model = built(name).eval()
    save(model, tmp_path / "m", FACTS)
    again = load(tmp_path / "m").eval()
    assert torch.equal(again(windows()), model(windows()))
    assert again.bm_arguments["name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_values_instead_of_classes_have_one_output_each(name: str) -> None:
    facts = replace(FACTS, classes=(), values=("knee", "hip"))
    assert build_model({"name": name}, facts)(windows()).shape == (4, 2)
    assert build_model({"name": name}, replace(FACTS, classes=()))(windows()).shape == (4, 1)


def test_eegnet_has_the_sizes_of_its_table() -> None:
    """Lawhern et al. (2018), table 2: C = 64, T = 128 at 128 Hz, F1 = 8, D = 2, F2 = 16."""
    model = EEGNet(64, 128, 4, 128.0)
    assert model.temporal[0].weight.shape == (8, 1, 1, 64)  # half a second
    assert model.spatial[0].weight.shape == (16, 1, 64, 1)
    assert model.separable[0].weight.shape == (16, 1, 1, 16)
    assert model.separable[1].weight.shape == (16, 16, 1, 1)
    assert model.classifier.in_features == 16 * (128 // 32)
    counts = [sum(p.numel() for p in part.parameters()) for part in model.children()]
    assert counts == [8 * 64 + 16, 16 * 64 + 32, 16 * 16 + 16 * 16 + 32, 64 * 4 + 4]


def test_eegnet_keeps_the_length_before_it_pools() -> None:
    model = EEGNet(3, 251, 2, 125.0).eval()
    x = torch.randn(2, 1, 3, 251)
    assert model.temporal(x).shape == (2, 8, 3, 251)
    assert model.spatial(model.temporal(x)).shape == (2, 16, 1, 62)


def test_spatial_filters_below_the_limit_are_left_alone() -> None:
    model = EEGNet(3, 250, 2, 125.0)
    layer: Any = model.spatial[0]
    with torch.no_grad():
        layer.weight.copy_(0.1 * torch.randn_like(layer.weight).clamp(-1, 1))
    x = torch.randn(1, 8, 3, 20)
    plain = functional.conv2d(x, layer.weight, groups=8)
    torch.testing.assert_close(layer(x), plain)
    with torch.no_grad():
        layer.weight[0] *= 1000  # this filter alone is bounded
    bounded = layer(x)
    torch.testing.assert_close(bounded[:, 1:], plain[:, 1:])
    unit = layer.weight[0] / layer.weight[0].norm()
    expected = functional.conv2d(x[:, :1], unit[None])
    torch.testing.assert_close(bounded[:, :1], expected, atol=1e-4, rtol=1e-4)


def test_the_shallow_network_is_log_band_power() -> None:
    """Schirrmeister et al. (2017): filter, square, mean, log, linear, written out."""
    torch.manual_seed(0)
    model = ShallowFBCSPNet(3, 250, 2, 125.0, filters=4).eval()
    x = windows(2)
    first = functional.conv2d(x[:, None], model.temporal[:, None, None])
    filtered = torch.einsum("ofc,bfct->bot", model.spatial, first)
    power = model.norm(filtered).square().unfold(-1, model.pool, model.stride).mean(-1)
    expected = model.classifier(power.clamp_min(EPSILON).log().flatten(1))
    torch.testing.assert_close(model(x), expected, atol=1e-4, rtol=1e-4)


def test_the_shallow_network_takes_silence() -> None:
    model = ShallowFBCSPNet(3, 250, 2, 125.0).eval()
    nn.init.zeros_(model.norm.bias)
    assert model(torch.zeros(1, 3, 250)).isfinite().all()


def test_the_conformer_is_the_published_one_at_250_hz() -> None:
    """Song et al. (2023): 22 channels, 4 s: 61 tokens of 40 values, 2,440 to 256 to 32 to 4."""
    model = EEGConformer(22, 1000, 4, 250.0)
    assert model.tokens[0].kernel_size == (1, 25) and model.tokens[1].kernel_size == (22, 1)
    assert model.tokens[4].kernel_size == (1, 75) and model.tokens[4].stride == (1, 15)
    assert model.tokens(torch.zeros(1, 1, 22, 1000)).shape == (1, 40, 1, 61)
    layers = [m for m in model.head if isinstance(m, nn.Linear)]
    assert [m.in_features for m in layers] == [2440, 256, 32]
    assert len(model.encoder.layers) == 6 and model.encoder.layers[0].self_attn.num_heads == 10


def test_the_conformer_scales_its_kernels_with_the_rate() -> None:
    half = EEGConformer(3, 500, 2, 125.0)
    assert half.tokens[0].kernel_size == (1, 12) and half.tokens[4].kernel_size == (1, 38)


def test_windows_shorter_than_the_kernels_of_the_conformer_are_refused() -> None:
    with pytest.raises(UserError, match=r"windows of 98 samples .*\(99\).*lengthen dset.segment"):
        EEGConformer(3, 98, 2, 250.0)
    assert EEGConformer(3, 99, 2, 250.0)(torch.zeros(2, 3, 99)).shape == (2, 2)


def test_the_conformer_attends_over_the_whole_window() -> None:
    torch.manual_seed(0)
    model = EEGConformer(3, 500, 2, 250.0, depth=1).eval()
    x = torch.randn(1, 3, 500)
    tokens = model.tokens(x[:, None]).squeeze(2).transpose(1, 2).detach().requires_grad_()
    model.encoder(tokens)[:, 0].sum().backward()
    assert (tokens.grad.abs().sum(-1) > 0).all()  # the first token reads the last one

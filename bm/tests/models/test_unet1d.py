"""The denoiser of waves: its parts against plain torch, its shapes, and what reaches it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from bm.models.eegdiff.unet1d import Attention, Residual, TimeEmbedding, UNet1d, up_pairs

SMALL: dict[str, Any] = {
    "block_out_channels": (8, 16, 16), "layers_per_block": 2, "attention_levels": 1, "head": 4,
    "groups": 4,
}  # fmt: skip


def network(**changes: Any) -> UNet1d:
    torch.manual_seed(0)
    return UNet1d(3, **{**SMALL, **changes}).eval()


def test_time_features_are_cosines_then_sines() -> None:
    embedding = TimeEmbedding(8)
    t = torch.tensor([0, 7, 500])
    frequencies = torch.tensor([10000 ** (-i / 4) for i in range(4)])
    angle = t[:, None] * frequencies
    waves = torch.cat([angle.cos(), angle.sin()], 1)
    hidden = functional.silu(embedding.linear_1(waves))
    torch.testing.assert_close(embedding(t), embedding.linear_2(hidden), atol=1e-4, rtol=1e-4)
    assert embedding(t).shape == (3, 32)


def test_a_residual_block_adds_the_time_between_its_convolutions() -> None:
    torch.manual_seed(0)
    block = Residual(4, 6, 10, 2, 0.0)
    x, vector = torch.randn(2, 4, 9), torch.randn(2, 10)
    h = functional.group_norm(x, 2, block.norm1.weight, block.norm1.bias, 1e-5)
    h = block.conv1(functional.silu(h)) + block.time(functional.silu(vector))[:, :, None]
    h = functional.group_norm(h, 2, block.norm2.weight, block.norm2.bias, 1e-5)
    expected = block.conv2(functional.silu(h)) + block.shortcut(x)
    torch.testing.assert_close(block(x, vector), expected)
    same = Residual(4, 4, 10, 2, 0.0)
    assert not list(same.shortcut.parameters())  # equal widths: the input itself is added


def test_what_comes_out_has_a_multiple_of_what_went_in() -> None:
    plain, net = network(), network(place_gain=True)
    x, t = torch.randn(2, 3, 12), torch.tensor([3, 500])
    assert torch.equal(net(x, t), plain(x, t))  # before it has learned any
    assert net.gain_out is not None and net.gain_out.out_channels == 1  # all channels alike
    torch.nn.init.constant_(dict(net.gain_out.named_parameters())["bias"], 0.5)
    torch.testing.assert_close(net(x, t), plain(x, t) + 0.5 * x)


def test_a_loud_block_scales_and_shifts_what_its_second_norm_gives() -> None:
    torch.manual_seed(0)
    block = Residual(4, 6, 10, 2, 0.0, scale_shift=True)
    x, vector = torch.randn(2, 4, 9), torch.randn(2, 10)
    h = block.conv1(functional.silu(block.norm1(x)))
    scale, shift = block.time(functional.silu(vector))[:, :, None].split(6, 1)
    h = functional.group_norm(h, 2, block.norm2.weight, block.norm2.bias, 1e-5)
    expected = block.conv2(functional.silu(h + h * scale + shift)) + block.shortcut(x)
    torch.testing.assert_close(block(x, vector), expected)
    # a network of such blocks has them at all scales
    net = network(scale_shift=True)
    assert all(m.scale_shift for m in net.modules() if isinstance(m, Residual))
    assert net(torch.randn(2, 3, 16), torch.tensor([1, 900])).shape == (2, 3, 16)


def test_groups_that_do_not_divide_a_width_are_fewer() -> None:
    assert Residual(6, 6, 4, 4, 0.0).norm1.num_groups == 2
    assert Residual(7, 7, 4, 4, 0.0).norm1.num_groups == 1


@pytest.mark.parametrize("text", [None, 5])
def test_attention_is_the_softmax_of_scaled_products(text: int | None) -> None:
    torch.manual_seed(0)
    layer = Attention(8, 4, 2, text)
    x = torch.randn(2, 8, 6)
    states = None if text is None else torch.randn(2, 3, text)
    inner = layer.norm(x).transpose(1, 2)
    source = inner if states is None else states
    q, k, v = layer.query(inner), layer.key(source), layer.value(source)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        weights = (q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(4)).softmax(-1)
        heads.append(weights @ v[..., part])
    expected = x + layer.out(torch.cat(heads, -1)).transpose(1, 2)
    torch.testing.assert_close(layer(x, states, None), expected, atol=1e-5, rtol=1e-4)


def test_masked_tokens_of_a_text_are_not_read() -> None:
    torch.manual_seed(0)
    layer, x = Attention(8, 4, 2, 5), torch.randn(2, 8, 6)
    text, mask = torch.randn(2, 3, 5), torch.tensor([[1, 1, 0], [1, 0, 0]])
    before = layer(x, text, mask)
    text[0, 2], text[1, 1:] = 100.0, -100.0
    torch.testing.assert_close(layer(x, text, mask), before)
    assert not torch.allclose(layer(x, text, None), before)
    with pytest.raises(ValueError, match="attends to text"):
        layer(x, None, None)


def test_widths_of_the_way_up_mirror_the_way_down() -> None:
    # the skips, in reverse: two blocks of the scale, then what came into it
    assert up_pairs((8, 16, 32), 2, 2) == [(64, 32), (64, 32), (48, 32)]
    assert up_pairs((8, 16, 32), 1, 2) == [(48, 16), (32, 16), (24, 16)]
    assert up_pairs((8, 16, 32), 0, 2) == [(24, 8), (16, 8), (16, 8)]


@pytest.mark.parametrize("length", [8, 13, 50, 127])
@pytest.mark.parametrize("layers", [1, 3])
def test_any_length_and_depth_comes_back(length: int, layers: int) -> None:
    model = network(layers_per_block=layers)
    assert model(torch.randn(2, 3, length), torch.tensor([1, 999])).shape == (2, 3, length)


def test_attention_stands_at_the_lowest_scales_alone() -> None:
    model = network(attention_levels=2)
    counts = [sum(len(a) for a in scale.attentions) for scale in model.down]
    assert counts == [0, 2, 2] and [len(a) for a in model.mid.attentions] == [1, 1]
    text = network(cross_attention_dim=5)
    assert [len(a) for a in text.mid.attentions] == [2, 2]  # to itself, then to the text


def test_every_parameter_gets_a_gradient_with_vector_and_text() -> None:
    model = network(cross_attention_dim=5)
    x, t = torch.randn(2, 3, 20), torch.tensor([3, 400])
    vector, text = torch.randn(2, 32), torch.randn(2, 4, 5)
    model.denoise(x, t, vector, text, torch.ones(2, 4)).square().sum().backward()
    # the bias of keys moves all scores of a query alike, so it has no effect
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(name.endswith("key.bias") for name in silent)


def test_level_and_vector_change_the_prediction() -> None:
    model, x = network(), torch.randn(2, 3, 20)
    t = torch.tensor([5, 5])
    plain = model(x, t)
    torch.testing.assert_close(model.denoise(x, t, torch.zeros(2, 32), None, None), plain)
    assert not torch.allclose(model(x, torch.tensor([5, 900]))[1], plain[1])
    assert not torch.allclose(model.denoise(x, t, torch.ones(2, 32), None, None), plain)


def test_an_item_does_not_depend_on_its_batch() -> None:
    model = network()
    x, t = torch.randn(3, 3, 20), torch.tensor([0, 10, 999])
    alone = torch.cat([model(x[i : i + 1], t[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(model(x, t), alone, atol=1e-5, rtol=1e-4)


def test_words_hear_of_their_token_alone_where_texts_are_placed() -> None:
    torch.manual_seed(0)
    net = UNet1d(3, (8, 8), 1, 1, 8, 4, cross_attention_dim=5, text_places=True)
    text, mask = torch.randn(2, 6, 5), torch.ones(2, 6, dtype=torch.bool)
    placed = net._placed(text, mask, 8)
    assert placed.shape == (2, 8, 8)
    other = text.clone()
    other[:, 3] += 1
    moved = (net._placed(other, mask, 8) != placed).any(1)
    assert moved[0].nonzero().ravel().tolist() == [2]  # token 0 is the beginning
    torch.testing.assert_close(placed[:, :, 5:], net.text_in.bias[:, None].expand(2, 8, 3))
    mask[:, 3] = False
    torch.testing.assert_close(net._placed(text, mask, 8)[..., 2], net.text_in.bias.expand(2, 8))
    assert net.denoise(torch.randn(2, 3, 8), torch.rand(2), None, text, mask).shape == (2, 3, 8)
    with pytest.raises(ValueError, match="there is no text to place"):
        UNet1d(3, (8, 8), text_places=True)

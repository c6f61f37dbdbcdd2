from __future__ import annotations

import math

import pytest
import torch

from bm.nn.patches import TemporalConv, embedding_width
from bm.nn.roles import set_explicit
from bm.nn.transformer import (
    Block,
    BlockOptions,
    Blocks,
    DropPath,
    RelativePositions,
    start_transformer,
    truncated_normal,
)


def test_fused_attention_equals_single_products() -> None:
    torch.manual_seed(0)
    for relative in (False, True):
        block = Block(BlockOptions(12, 3, qkv_bias=True, relative=relative))
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        x = torch.randn(2, 7, 12)
        fused = block(x, (3, 2))
        set_explicit(block, True)
        torch.testing.assert_close(block(x, (3, 2)), fused, atol=1e-5, rtol=1e-5)


def test_drop_path_leaves_out_whole_items_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop, x = DropPath(0.25), torch.ones(4000, 3, 2)
    dropped = drop(x)
    per_item = dropped.flatten(1)
    assert torch.equal(per_item.amin(1), per_item.amax(1))
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(drop.eval()(x), x)


def test_drop_path_grows_with_the_depth() -> None:
    blocks = Blocks(BlockOptions(8, 2), 5, 0.2)
    rates = [part.p for part in blocks.modules() if isinstance(part, DropPath)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])


def test_relative_positions_depend_on_the_distance_only() -> None:
    torch.manual_seed(0)
    relative = RelativePositions(2, 8, 4)
    torch.nn.init.normal_(relative.table)
    bias = relative((3, 2))  # token = 1 + channel * 2 + patch
    assert bias.shape == (2, 7, 7)
    assert torch.equal(bias[:, 1, 4], bias[:, 3, 6])  # one channel and one patch further
    assert not torch.equal(bias[:, 1, 4], bias[:, 4, 1])
    assert not torch.equal(bias[:, 1, 3], bias[:, 1, 2])
    rows = relative.rows((3, 2))
    assert rows.min() >= 0 and rows.max() == len(relative.table) - 1
    assert len(rows.unique()) == 5 * 3 + 3
    assert relative.rows((20, 9)).max() == len(relative.table) - 1  # far apart counts as farthest


def test_first_values() -> None:
    torch.manual_seed(0)
    blocks = Blocks(BlockOptions(64, 4), 3)
    start_transformer(blocks)
    for number, block in enumerate(blocks, 1):
        assert isinstance(block, Block)
        assert block.attn.qkv.weight.std().item() == pytest.approx(0.02, rel=0.05)
        scaled = 0.02 / math.sqrt(2 * number)
        assert block.attn.proj.weight.std().item() == pytest.approx(scaled, rel=0.05)
        assert block.mlp.fc2.weight.std().item() == pytest.approx(scaled, rel=0.05)
        assert block.mlp.fc1.bias.abs().sum() == 0
        assert block.gamma_1.tolist() == pytest.approx([0.1] * 64)
    cut = truncated_normal(torch.empty(10000), cut=0.02)
    assert cut.abs().max() <= 0.02 and cut.std().item() == pytest.approx(0.54 * 0.02, rel=0.03)


@pytest.mark.parametrize("samples", [64, 100, 128, 200])
def test_width_of_the_patch_embedding(samples: int) -> None:
    assert TemporalConv(8)(torch.zeros(1, 3, samples)).shape == (1, 3, embedding_width(8, samples))


def test_norms_of_the_patch_embedding_see_the_whole_window() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, 200)
    changed = x.clone()
    changed[0, 3] *= 10
    embed = TemporalConv(4)
    assert not torch.allclose(embed(x)[0, 0], embed(changed)[0, 0], atol=1e-3)
    torch.testing.assert_close(embed(torch.cat([x, changed]))[:1], embed(x))

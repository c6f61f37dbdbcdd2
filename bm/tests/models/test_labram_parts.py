"""LaBraM's backbone against torch's own layers, its tokens, and the reading of sizes from files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bm.errors import UserError
from bm.facts import DataFacts
from bm.models import build_model
from bm.models.labram.backbone import Backbone, Encoder, backbone_options, layer_number, table_rows
from bm.models.labram.importing import arguments_of, backbone_sizes, kind_of, published_facts
from bm.models.labram.masked import Student
from bm.models.labram.published import our_name
from bm.models.labram.tokenizer import VQNSP
from bm.models.saved import fit, init_weights, load, save
from bm.nn.electrodes import NAMES, position_row
from bm.nn.transformer import Block, BlockOptions

from . import labram

SMALL: dict[str, Any] = {
    "width": 40, "depth": 2, "n_heads": 4, "n_filters": 8, "patch_samples": 40,
}  # fmt: skip
FACTS = DataFacts(("FZ", "CZ", "PZ"), 200.0, 120, classes=("a", "b"))


def encoder(kind: type = Encoder, **changes: Any) -> Any:
    torch.manual_seed(0)
    return kind(channel_names=["FZ", "CZ", "PZ"], **{**SMALL, **changes}).eval()


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def test_a_block_is_torchs_pre_norm_encoder_layer() -> None:
    """Without q/k norms, layer scale and drop path the two have the same equations."""
    torch.manual_seed(0)
    options = BlockOptions(12, 3, qk_norm=False, layer_scale=0.0, qkv_bias=True)
    block = randomised(Block(options)).eval()
    twin = nn.TransformerEncoderLayer(
        12, 3, 48, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    attn: Any = block.attn
    pairs = {
        "self_attn.in_proj_weight": attn.qkv.weight,
        "self_attn.in_proj_bias": torch.cat([attn.q_bias, torch.zeros(12), attn.v_bias]),
        "self_attn.out_proj.weight": attn.proj.weight,
        "self_attn.out_proj.bias": attn.proj.bias,
    }
    parts = {"linear1": "mlp.fc1", "linear2": "mlp.fc2", "norm1": "norm1", "norm2": "norm2"}
    state = block.state_dict()
    for theirs, ours in parts.items():
        pairs |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    twin.load_state_dict(pairs)
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(block(x, (2, 3)), twin(x), atol=1e-5, rtol=1e-4)


def test_tokens_carry_the_place_and_the_time_of_their_patch() -> None:
    model = encoder()
    randomised(model)
    x = torch.zeros(1, 3 * 2, 40)
    embedded = model.embed(x, (3, 2), None)
    rows = table_rows(["FZ", "CZ", "PZ"])
    for channel in range(3):
        for patch in range(2):
            expected = model.pos_embed[0, rows[channel]] + model.time_embed[0, patch]
            torch.testing.assert_close(embedded[0, 1 + channel * 2 + patch], expected)
    head = model.cls_token[0, 0] + model.pos_embed[0, 0]
    torch.testing.assert_close(embedded[0, 0], head)  # no time: the class token has none


def test_ids_of_each_item_pick_their_rows() -> None:
    model = randomised(encoder())
    x, ids = torch.randn(2, 2, 80), torch.tensor([[0, 2], [1, 0]])
    tokens, shape = model.patches(x)  # type: ignore[operator]
    both = model.encode(tokens, shape, ids)  # type: ignore[operator]
    for item in range(2):
        alone = model.encode(tokens[item : item + 1], shape, ids[item])  # type: ignore[operator]
        torch.testing.assert_close(both[item : item + 1], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", [Encoder, Student, Backbone])
def test_layers_of_frozen_features(kind: type) -> None:
    model = encoder(kind)
    randomised(model)
    x = torch.randn(2, 3, 120)
    tokens, shape = model.patches(x)
    embedded = model.embed(tokens, shape, None)[:, 1:].unflatten(1, shape)
    torch.testing.assert_close(model.patch_tokens(x, layer=0), embedded)
    last = model.encode(tokens, shape)[:, 1:]
    torch.testing.assert_close(model.patch_tokens(x, layer=2), last.unflatten(1, (3, 3)))
    torch.testing.assert_close(model.patch_tokens(x), model.final(last).unflatten(1, (3, 3)))
    torch.testing.assert_close(model.patch_tokens(x, pool="mean"), model.final(last.mean(1)))
    with pytest.raises(UserError, match="layer=3: the network has blocks 1 to 2"):
        model.patch_tokens(x, layer=3)
    with pytest.raises(UserError, match="unknown pool 'max'"):
        model.patch_tokens(x, pool="max")


def test_the_classifier_reads_the_pooled_tokens() -> None:
    config = {"name": "labram", "backbone": SMALL}
    model = randomised(build_model(config, FACTS)).eval()
    x = 50 * torch.randn(2, 3, 120)
    pooled: Any = model.tokens(x, pool="mean")  # type: ignore[operator]
    torch.testing.assert_close(model(x), model.head(pooled))  # type: ignore[operator]
    tokens: Any = model.all_tokens(x)  # type: ignore[operator]
    norm: Any = model.fc_norm
    expected = functional.layer_norm(tokens[:, 1:].mean(1), (40,), norm.weight, norm.bias, 1e-6)
    torch.testing.assert_close(pooled, expected)


def test_a_network_of_features_alone_has_no_head() -> None:
    model = build_model({"name": "labram", "backbone": SMALL, "n_outputs": 0}, FACTS)
    x = torch.randn(2, 3, 120)
    assert torch.equal(model.eval()(x), model.features(x)) and model(x).shape == (2, 40)


def test_numbers_of_layers_are_as_published() -> None:
    expected = {
        "cls_token": 0, "pos_embed": 0, "mask_token": 0, "patch_embed.conv1.weight": 0,
        "blocks.0.norm1.weight": 1, "blocks.11.mlp.fc2.bias": 12, "time_embed": 13,
        "fc_norm.weight": 13, "head.bias": 13,
    }  # fmt: skip
    assert {name: layer_number(name, 12) for name in expected} == expected


def test_rows_of_the_table_are_named_from_one() -> None:
    assert table_rows(None).tolist() == list(range(1, 129))
    assert table_rows(["FP1", NAMES[127]]).tolist() == [1, 128]


def test_sections_of_a_backbone_take_its_arguments_alone() -> None:
    assert backbone_options("backbone", {"depth": 3}) == {"depth": 3}
    for key in ("detph", "channel_names", "class_row"):
        with pytest.raises(UserError, match=f"model.encoder: unknown option '{key}'"):
            backbone_options("encoder", {key: 1})


@pytest.mark.parametrize("qk_norm", [True, False])
@pytest.mark.parametrize("name", ["labram", "labram_masked", "vqnsp"])
def test_the_tensors_of_a_model_tell_its_arguments(name: str, qk_norm: bool) -> None:
    sizes = {**SMALL, "qk_norm": qk_norm, "qkv_bias": not qk_norm, "mlp_ratio": 2.0}
    configs: dict[str, dict[str, Any]] = {
        "labram": {"backbone": sizes, "n_outputs": 3, "pooling": "class"},
        "labram_masked": {"backbone": sizes, "n_codes": 12},
        "vqnsp": {"encoder": sizes, "decoder": {**sizes, "depth": 1}, "n_codes": 12,
                  "code_width": 6},
    }  # fmt: skip
    model = build_model({"name": name, **configs[name]}, FACTS)
    state = model.state_dict()
    assert kind_of(state) == name
    arguments = arguments_of(name, state, n_heads=4)
    again = type(model)(**arguments)
    shapes = {n: t.shape for n, t in again.state_dict().items()}
    assert shapes == {n: t.shape for n, t in state.items()}
    part = "encoder" if name == "vqnsp" else "backbone"
    assert arguments[part]["n_heads"] == 4 and arguments[part]["depth"] == 2
    assert published_facts(again).window_samples == 40
    assert published_facts(again).rate_hz == 200.0 and published_facts(again).n_channels == 128


def test_heads_that_no_tensor_tells_are_asked_for() -> None:
    state = encoder(qk_norm=False).state_dict()
    with pytest.raises(UserError, match=r"heads of a network of width 40 .*n_heads="):
        backbone_sizes(state, "")
    assert kind_of({"weight": torch.ones(1)}) == ""


def test_published_names_of_the_tokenizer_are_translated_and_others_stay() -> None:
    assert our_name("quantize.embedding.weight") == "quantiser.codebook"
    assert our_name("decode_task_layer_angle.2.bias") == "phase_head.2.bias"
    assert our_name("decode_task_layer.0.weight") == "amplitude_head.0.weight"
    assert our_name("encoder.cls_token") == "encoder.cls_token"


def test_the_gradient_of_the_loss_passes_the_codes() -> None:
    torch.manual_seed(0)
    model = VQNSP(SMALL, {**SMALL, "depth": 1}, 8, 4, ["FZ", "CZ", "PZ"])
    x = 50 * torch.randn(2, 3, 120)
    outputs = model(x)
    losses = model.losses(outputs, x)
    parts = sum(losses[name] for name in ("quantiser", "amplitude", "phase"))
    torch.testing.assert_close(losses["loss"], parts)
    losses["amplitude"].backward()
    first: Any = model.encoder.patch_embed
    assert first.conv1.weight.grad.abs().sum() > 0  # through the straight-through codes
    assert model.quantiser.codebook.grad is None


def test_the_tokenizer_wants_encoder_and_decoder_of_one_width() -> None:
    wide = {**SMALL, "width": 80, "n_filters": 16}
    with pytest.raises(UserError, match=r"model\.decoder\.width=80: the encoder has 40"):
        VQNSP(SMALL, wide, 8, 4, ["FZ"])


@pytest.mark.parametrize("how", ["nearest", "interpolate"])
@pytest.mark.parametrize("name", ["small", "masked_small", "vqnsp_small"])
def test_any_electrode_changes_no_bit_of_those_that_have_a_row(name: str, how: str) -> None:
    """Outputs of known electrodes are those of the exact model, beside one that is inferred too."""
    exact = randomised(labram.small(name)).eval()
    other = labram.small(name, electrodes=how).eval()
    fit(other, exact.state_dict(), "exact")
    x = labram.microvolts()
    mask = {"mask": torch.arange(6)[None].expand(4, 6) % 2 == 0} if "masked" in name else {}
    outputs = [model(x, **mask) for model in (exact, other)]
    one, two = (getattr(o, "amplitude", o) for o in outputs)
    assert torch.equal(one, two)
    strange = dataclasses.replace(labram.FACTS, channels=("C3", "FCC2h", "C4"))
    third = labram.small(name, strange, electrodes=how).eval()
    fit(third, other.state_dict(), "other")
    assert not torch.equal(getattr(third(x, **mask), "amplitude", third(x, **mask)), two)
    with pytest.raises(UserError, match="FCC2h"):
        labram.small(name, strange)


def test_rows_that_were_not_learned_are_not_used(tmp_path: Path) -> None:
    exact = randomised(labram.small())
    save(exact, tmp_path / "exact", labram.FACTS)
    strange = dataclasses.replace(labram.FACTS, channels=("FCC2h", "C4"))
    model = labram.small(facts=strange, electrodes="interpolate")
    init_weights(model, tmp_path / "exact")
    used = model.electrodes.weights[0].nonzero()[:, 0].tolist()
    assert sorted(used) == sorted(position_row(name) for name in labram.CHANNELS)
    save(model, tmp_path / "model", strange)
    again = load(tmp_path / "model", channel_names=["FFC1h"])
    used = again.electrodes.weights[0].nonzero()[:, 0].tolist()  # type: ignore[union-attr, operator]
    assert sorted(used) == sorted(position_row(name) for name in labram.CHANNELS)


def test_shorter_patches_have_rows_between_those_of_seconds() -> None:
    """Half seconds: every second row is the table's, the others are means of their neighbours."""
    halves = randomised(encoder(patch_samples=20, width=24, row_samples=40))
    rows, table = halves._time_rows(31), halves.time_embed[0]  # type: ignore[operator]
    assert halves.max_patches == 31 and torch.equal(rows[::2], table)
    torch.testing.assert_close(rows[1::2], (table[1:] + table[:-1]) / 2)
    whole, same = encoder(), encoder(row_samples=40)
    x = torch.randn(2, 3, 80)
    assert torch.equal(*(m.patch_tokens(x) for m in (whole, same)))


def test_published_widths_take_shorter_patches_filled_up_with_zeros() -> None:
    whole, short = encoder(), encoder(patch_samples=20, row_samples=40)
    x = torch.randn(2, 3, 40)
    filled = nn.functional.pad(x.reshape(2, 3, 2, 20), (0, 20)).flatten(2)
    assert torch.equal(short.patches(x)[0], whole.patches(filled)[0])
    with pytest.raises(UserError, match="width=40"):
        encoder(patch_samples=20)

"""Options of Du-IN's models that no published file sets: what they compute."""

from __future__ import annotations

import pytest
import torch

from bm.losses.masked import masked_cross_entropy
from bm.models.duin.subject_block import SubjectBlock
from bm.nn.masking import random_mask

from .test_duin import signal, small


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_subject_block_is_its_formula(bias: bool, projection: bool) -> None:
    torch.manual_seed(0)
    block = SubjectBlock(5, 4, 3, bias, projection)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter += torch.randn_like(parameter)
    assert ("offset" in dict(block.named_parameters())) == bias
    assert ("projection.weight" in dict(block.named_parameters())) == projection
    x, subject = torch.randn(2, 5, 7), torch.tensor([2, 0])
    for item, row in zip(x, subject.tolist(), strict=True):
        values = item.T @ block.weight[row].reshape(5, 4)
        values = values + block.offset[row] if block.offset is not None else values
        values = block.projection(values) if block.projection is not None else values
        output = block(x, subject)[subject.tolist().index(row)]
        torch.testing.assert_close(output, values.T, atol=1e-5, rtol=1e-4)


def test_both_subject_blocks_take_the_options() -> None:
    model = small("vqvae", backbone={"subject": {"bias": False, "projection": True}})
    names = {name for name, _ in model.named_parameters()}
    for block in ("backbone.subject", "readout"):
        assert f"{block}.offset" not in names
        assert f"{block}.projection.weight" in names
    assert model(signal()).signal.shape == (4, 5, 120)


def test_weights_of_losses() -> None:
    plain = small("vqvae").eval()
    scaled = small("vqvae", reconstruction_scale=0.5, quantiser_scale=3.0).eval()
    scaled.load_state_dict(plain.state_dict())
    x = signal()
    one, other = (m.losses(m(x), x) for m in (plain, scaled))
    torch.testing.assert_close(one["loss"], one["reconstruction"] + one["quantiser"])
    weighted = 0.5 * one["reconstruction"] + 3 * one["quantiser"]
    torch.testing.assert_close(other["loss"], weighted)
    torch.testing.assert_close(other["reconstruction"], one["reconstruction"])


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.8])
def test_every_patch_is_predicted_while_it_is_hidden(ratio: float) -> None:
    model, x = small("mae").eval(), signal()
    mask = random_mask(torch.rand(4, 6), ratio)
    assert (mask.sum(1) == 6 - int(6 * (1 - ratio))).all()
    logits = model(x, mask)
    for hidden in (mask, ~mask):
        for patch in range(6):
            changed = x.clone()
            changed[:, :, 20 * patch : 20 * (patch + 1)] += 1.0
            rows = hidden[:, patch]
            if rows.any():  # a hidden patch does not see itself, nor do the others see it
                torch.testing.assert_close(model(changed, mask)[rows, patch], logits[rows, patch])


@pytest.mark.parametrize("ratio", [0.25, 0.5])
def test_the_loss_of_both_halves_is_the_mean_over_all_patches(ratio: float) -> None:
    model, x = small("mae").eval(), signal()
    mask, codes = random_mask(torch.rand(4, 6), ratio), torch.randint(16, (4, 6))
    logits = model(x, mask)
    values = masked_cross_entropy(logits, codes, mask)
    share = mask.float().mean()
    mean = values["loss_masked"] * share + values["loss_complement"] * (1 - share)
    whole = torch.nn.functional.cross_entropy(logits.flatten(0, 1), codes.flatten())
    torch.testing.assert_close(mean, whole)


def test_one_pass_predicts_the_first_half_alike() -> None:
    model, x = small("mae").eval(), signal()
    mask = random_mask(torch.rand(4, 6), 0.5)
    both, one = model(x, mask), model(x, mask, symmetric=False)
    torch.testing.assert_close(both[mask], one[mask])


def test_hidden_layers_of_the_heads() -> None:
    assert small("mae", hidden=[9, 8])(signal(), torch.ones(4, 6).bool()).shape == (4, 6, 16)
    bare = small("cls", hidden=[])
    assert [name for name, _ in bare.head.named_parameters()] == ["output.weight", "output.bias"]
    assert small("vqvae", head={"hidden": [7]})(signal()).signal.shape == (4, 5, 120)


@pytest.mark.parametrize("name", ["vqvae", "mae", "cls"])
def test_attention_options_reach_every_stack(name: str) -> None:
    options = {"norm_first": True, "residual_scores": True}
    model = small(name, backbone={"blocks": options})
    blocks = [m for m in model.modules() if type(m).__name__ == "PostNormBlock"]
    assert len(blocks) == (3 if name == "vqvae" else 2)
    assert all(b.norm_first and b.attention.residual_scores for b in blocks)


def test_a_contrastive_loss_is_added_in_training_alone() -> None:
    model = small("cls", contrast={"scale": 0.3, "width": 3}).eval()
    x, labels = signal(), torch.tensor([0, 0, 1, 2])
    logits, penalty = model.penalised(x, labels)
    torch.testing.assert_close(logits, model(x))
    torch.testing.assert_close(penalty, model.contrast(model.encode(x), labels))
    assert model.penalty_scale == 0.3
    assert small("cls").penalty_scale == 0.0
    assert not hasattr(small("cls"), "contrast")


def test_features_of_a_frozen_network() -> None:
    for name in ("cls", "mae"):
        model, x = small(name).eval(), signal()
        tokens = model.tokens(x)
        assert tokens.shape == (4, 1, 6, 16)
        torch.testing.assert_close(model.tokens(x, pool="mean"), tokens.mean((1, 2)))
        inner = model.backbone.time(model.backbone.tokens(x))
        torch.testing.assert_close(model.tokens(x, layer=0)[:, 0], inner)
        assert not torch.allclose(model.tokens(x, layer=1), tokens)
    codes = small("vqvae").tokens(signal())
    assert codes.shape == (4, 6)
    assert codes.dtype == torch.int64

"""The groups of `bm.models.contract`: who takes which, and what holds without any."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from bm.facts import DataFacts
from bm.losses.penalty import training_penalty
from bm.models import build_model
from bm.models.contract import (
    Codebook,
    CountedExplicitly,
    Described,
    Layered,
    Loadable,
    Microvolts,
    Patched,
    Penalised,
    SubjectRows,
    TokenEncoder,
    Tokenizer,
    Undecayed,
)
from bm.models.saved import acceptable, fit, to_subjects
from bm.nn.channel_merger import ChannelMerger
from bm.nn.roles import explicit_attention_in
from bm.nn.subjects import SubjectEmbedding, SubjectLayers

FACTS = DataFacts(("CZ", "PZ"), 200.0, 400, classes=("a", "b"), subjects=("p", "q"))
SMALL = {"width": 40, "depth": 2, "n_heads": 2, "n_filters": 8, "patch_samples": 40}
BACKBONE = {"backbone": SMALL}
LABRAM: dict[str, Any] = {
    "labram": {**BACKBONE},
    "labram_masked": {**BACKBONE, "n_codes": 8},
    "vqnsp": {"encoder": SMALL, "decoder": SMALL, "n_codes": 8, "code_width": 4},
}


def built(name: str) -> Any:
    return build_model({"name": name, **LABRAM.get(name, {})}, FACTS)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("labram", {Loadable, Layered, Undecayed, Microvolts, Patched, TokenEncoder}),
        ("labram_masked", {Loadable, Undecayed, Microvolts, Patched, TokenEncoder}),
        ("vqnsp", {Loadable, Undecayed, Microvolts, Patched, Codebook, Tokenizer}),
        ("conformer", set()),  # it has an attribute `tokens`, which is a layer: no encoder
        ("eegnet", set()),
    ],
)
def test_models_take_these_groups_and_no_other(name: str, groups: set[type]) -> None:
    every = {Loadable, Layered, Undecayed, Microvolts, Patched, TokenEncoder, Codebook, Tokenizer}
    every |= {SubjectRows, Penalised, CountedExplicitly}
    model = built(name)
    assert {group for group in every if isinstance(model, group)} == groups


def test_every_parameter_has_a_layer_and_the_names_exist() -> None:
    model = built("labram")
    names = {name for name, _ in model.named_parameters()}
    assert {model.layer_number(name) for name in names} == set(range(model.n_layers + 1))
    assert model.n_layers == SMALL["depth"] + 1
    assert set(model.embedding_names) <= names and model.no_weight_decay() <= names
    assert any(name.startswith(model.head_names) for name in names)
    assert model.layer_number("head.weight") == model.n_layers


@pytest.mark.parametrize("name", list(LABRAM))
def test_patches_and_names_of_channels_are_those_of_the_backbone(name: str) -> None:
    model = built(name)
    assert model.patch_samples == 40 and model.max_patches == 16 and model.named_channels
    part = "encoder" if name == "vqnsp" else "backbone"
    options = {**LABRAM[name], part: {**SMALL, "positions": False}}
    nameless = build_model({"name": name, **options}, FACTS)
    assert not nameless.named_channels


def test_shapes_of_tokens_and_codes() -> None:
    x = torch.randn(3, 2, 120)
    for name in ("labram", "labram_masked"):
        model = built(name).eval()
        assert model.tokens(x).shape == (3, 2, 3, 40)
        assert model.tokens(x, pool="mean").shape == (3, 40)
        assert model.tokens(x, layer=0).shape == (3, 2, 3, 40)
    tokenizer = built("vqnsp").eval()
    codes, (vectors, shape) = tokenizer.tokens(x), tokenizer.code_vectors(x)
    assert codes.shape == (3, 6) and codes.dtype == torch.int64 and codes.max() < 8
    assert vectors.shape == (3, 6, 4) and shape == (2, 3)
    assert torch.equal(codes, tokenizer(x).indices)


def test_a_group_with_a_method_left_out_cannot_be_built() -> None:
    class Half(Layered):
        n_layers = 1

    kind: Any = Half
    with pytest.raises(TypeError, match="layer_number"):
        kind()


def test_defaults_of_groups_change_nothing() -> None:
    class Plain(nn.Linear, Loadable, Described):
        pass

    model = Plain(2, 3)
    state = {"weight": torch.ones(3, 2), "more": torch.ones(1)}
    assert model.adapt_weights(state) is state and model.description(FACTS) == []
    report = fit(model, state, "here")
    assert report.missing == ("bias",) and report.unexpected == ("more",)
    assert not acceptable(model, report)
    model.may_be_missing, model.may_be_unexpected = ("bias",), ("mo",)
    assert acceptable(model, report)
    model.may_be_unexpected = ("other",)
    assert not acceptable(model, report)


def test_a_plain_module_has_every_default() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    assert not isinstance(model, Undecayed | Described | Loadable | Patched)
    assert training_penalty(model) is None
    whole = fit(model, model.state_dict(), "here")
    assert whole.complete and acceptable(model, whole)
    part = fit(model, {"0.weight": torch.ones(3, 2)}, "here")
    assert part.matched == ("0.weight",) and not acceptable(model, part)
    with explicit_attention_in(model):
        assert model(torch.zeros(1, 2)).shape == (1, 2)
    state = {"0.weight": torch.arange(6.0).view(3, 2)}
    moved = to_subjects(model, state, ["p", "q", "r"], ["q", "p", "r"], False)
    assert torch.equal(moved["0.weight"], state["0.weight"])  # no rows of subjects


def test_a_foreign_model_says_what_never_decays_by_its_method_alone() -> None:
    class Foreign(nn.Module):
        def no_weight_decay(self) -> set[str]:
            return {"pos_embed"}

    assert isinstance(Foreign(), Undecayed)
    assert not isinstance(nn.Linear(1, 1), Undecayed)


def test_rows_of_subjects_follow_their_names() -> None:
    layers = {
        "layers": SubjectLayers(2, 2, 2),
        "embedding": SubjectEmbedding(2, 3),
        "merger": ChannelMerger(2, 8, subjects=2),
        "shared": ChannelMerger(2, 8),
    }
    model = nn.ModuleDict(layers)
    state = {name: torch.randn_like(value) for name, value in model.state_dict().items()}
    moved = to_subjects(model, state, ["p", "q"], ["q", "p"], False)
    for name in ("layers.weights", "embedding.embedding.weight", "merger.heads"):
        assert torch.equal(moved[name], state[name].flip(0)), name
    assert torch.equal(moved["shared.heads"], state["shared.heads"])


def test_explicit_form_is_put_back_also_after_an_error() -> None:
    model = built("labram")
    layers = [m for m in model.modules() if isinstance(m, CountedExplicitly)]
    layers[0].explicit = False
    with pytest.raises(RuntimeError), explicit_attention_in(model):
        assert [layer.explicit for layer in layers] == [True, True]
        raise RuntimeError
    assert [layer.explicit for layer in layers] == [False, None]

"""Adapters of brainmagick's networks: published option names to ours, weights by the name map."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bm.models.clip.convrnn import ConvRNN
from bm.models.clip.deep_mel import DeepMel
from bm.models.clip.simpleconv import SimpleConv
from bm.nn.channel_dropout import ChannelDropout
from bm.nn.channel_merger import ChannelMerger
from bm.nn.positions import fourier_features
from bm.tests.reference.clip_names import load_published, to_published

from .running import Tensors, adapter

#: Published defaults of SimpleConv; a case names what differs.
SIMPLECONV = {
    "concatenate": False, "depth": 4, "linear_out": False, "complex_out": False, "kernel_size": 5,
    "dilation_growth": 2, "dilation_period": None, "skip": False, "post_skip": False,
    "growth": 1.0, "scale": None, "rewrite": False, "groups": 1, "glu": 0, "glu_context": 0,
    "glu_glu": True, "gelu": False, "dual_path": 0, "conv_dropout": 0.0, "dropout_input": 0.0,
    "batch_norm": False, "relu_leakiness": 0.0, "subject_dim": 64, "subject_layers": False,
    "embedding_scale": 1.0, "subject_layers_dim": "input", "subject_layers_id": False,
    "n_fft": None, "fft_complex": True, "merger": False, "merger_pos_dim": 256,
    "merger_channels": 270, "merger_dropout": 0.2, "merger_penalty": 0.0,
    "merger_per_subject": False, "dropout": 0.0, "dropout_rescale": True, "initial_linear": 0,
    "initial_depth": 1, "initial_nonlin": False, "subsample_meg_channels": 0,
}  # fmt: skip


def _encoder(c: dict) -> dict[str, Any]:
    """`model.encoder` of published options."""
    same = ("depth", "growth", "kernel_size", "dilation_growth", "dilation_period", "groups",
            "batch_norm", "skip", "post_skip", "rewrite", "glu", "glu_context")  # fmt: skip
    return {
        **{name: c[name] for name in same},
        "activation": "gelu" if c["gelu"] else "relu",
        "leak": c["relu_leakiness"],
        "dropout": c["conv_dropout"],
        "input_dropout": c["dropout_input"],
        "layer_scale": c["scale"],
        "glu_gate": c["glu_glu"],
    }


def _branches(c: dict) -> dict[str, Any]:
    """Sizes that every brain model is told."""
    inputs, hidden = c["in_channels"], c["hidden"]
    assert set(inputs) == set(hidden) <= {"meg", "features"}
    return {
        "n_channels": inputs["meg"],
        "n_outputs": c["out_channels"],
        "n_subjects": c["n_subjects"],
        "n_features": inputs.get("features", 0),
        "hidden": hidden["meg"],
        "hidden_features": hidden.get("features", 0),
        "concatenate": c["concatenate"],
    }


def simpleconv(config: dict) -> SimpleConv:
    """The network of a published configuration."""
    unknown = (
        set(config) - set(SIMPLECONV) - {"in_channels", "hidden", "out_channels", "n_subjects"}
    )
    assert not unknown, unknown
    c = {**SIMPLECONV, **config}
    assert not c["merger_penalty"], "a constant in the original"
    merger = {"channels": c["merger_channels"], "dimension": c["merger_pos_dim"],
              "dropout": c["merger_dropout"], "per_subject": c["merger_per_subject"]}  # fmt: skip
    initial = {"channels": c["initial_linear"], "depth": c["initial_depth"],
               "nonlinear": c["initial_nonlin"]}  # fmt: skip
    return SimpleConv(
        **_branches(c),
        encoder=_encoder(c),
        head="linear" if c["linear_out"] else "complex" if c["complex_out"] else "none",
        sensors={"dropout": c["dropout"], "rescale": c["dropout_rescale"],
                 "kept": c["subsample_meg_channels"]},
        merger=merger if c["merger"] else None,
        initial=initial if c["initial_linear"] else None,
        subject={"layers": c["subject_layers"], "layers_width": c["subject_layers_dim"],
                 "layers_identity": c["subject_layers_id"], "embedding": c["subject_dim"],
                 "embedding_scale": c["embedding_scale"]},
        spectrum={"n_fft": c["n_fft"], "complex_values": c["fft_complex"]} if c["n_fft"] else None,
        dual_path={"depth": c["dual_path"], "as_published": True} if c["dual_path"] else None,
    )  # fmt: skip


#: Published defaults of ConvRNN.
CONVRNN = {
    "concatenate": False, "depth": 2, "linear_out": False, "complex_out": False, "kernel_size": 4,
    "stride": 2, "growth": 1.0, "lstm": 2, "flip_lstm": False, "bidirectional_lstm": False,
    "attention": 0, "heads": 4, "conv_dropout": 0.0, "lstm_dropout": 0.0, "dropout_input": 0.0,
    "batch_norm": False, "relu_leakiness": 0.0, "subject_dim": 64, "embedding_location": ["lstm"],
    "embedding_scale": 1.0, "subject_layers": False, "subject_layers_dim": "input",
}  # fmt: skip


def convrnn(config: dict) -> ConvRNN:
    """The network of a published configuration."""
    unknown = set(config) - set(CONVRNN) - {"in_channels", "hidden", "out_channels", "n_subjects"}
    assert not unknown, unknown
    c = {**CONVRNN, **config}
    recurrent = {"layers": c["lstm"], "bidirectional": c["bidirectional_lstm"],
                 "flip": c["flip_lstm"], "dropout": c["lstm_dropout"]}  # fmt: skip
    attention = {"layers": c["attention"], "heads": c["heads"], "as_published": True}
    same = ("depth", "growth", "kernel_size", "stride", "batch_norm")
    return ConvRNN(
        **_branches(c),
        encoder={**{name: c[name] for name in same}, "leak": c["relu_leakiness"],
                 "dropout": c["conv_dropout"], "input_dropout": c["dropout_input"]},
        head="linear" if c["linear_out"] else "complex" if c["complex_out"] else "none",
        recurrent=recurrent if c["lstm"] else None,
        attention=attention if c["attention"] else None,
        subject={"layers": c["subject_layers"], "layers_width": c["subject_layers_dim"],
                 "embedding": c["subject_dim"], "embedding_scale": c["embedding_scale"]},
        embedding_at=[{"lstm": "recurrent"}.get(at, at) for at in c["embedding_location"]],
    )  # fmt: skip


def deep_mel(config: dict) -> DeepMel:
    """The network of a published configuration."""
    c = dict(config)
    assert not c.pop("activation_on_last")
    sizes = [c.pop(f"n_{name}") for name in ("in_channels", "out_channels", "hidden_channels")]
    encoder = {"depth": c.pop("n_hidden_layers"), "kernel_size": c.pop("kernel"), **c}
    return DeepMel(*sizes, encoder=encoder)


def tensors_of(data: Tensors) -> dict[str, torch.Tensor]:
    """Tensors of a case."""
    return {name: torch.from_numpy(value) for name, value in data.items()}


def inputs_of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Arguments of a brain model's forward."""
    names = {"signal": "input_meg", "subject": "subject_index", "positions": "positions",
             "features": "input_features"}  # fmt: skip
    return {ours: tensors[theirs] for ours, theirs in names.items() if theirs in tensors}


def _loaded(case: dict, model: nn.Module, weights: Tensors) -> nn.Module:
    load_published(model, tensors_of(weights))
    count = sum(p.numel() for p in model.parameters())
    assert count == case.get("n_parameters", count), f"{count} parameters"
    return model.train(case.get("mode") == "train")


@adapter("clip", "SimpleConv")
def simpleconv_output(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model = _loaded(case, simpleconv(case["config"]), weights)
    with torch.no_grad():
        output = model(**inputs_of(tensors_of(data)))
    return {"output": output, "expect": {"output": data["output"]}}


@adapter("clip", "ConvRNN")
def convrnn_output(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model = _loaded(case, convrnn(case["config"]), weights)
    with torch.no_grad():
        output = model(**inputs_of(tensors_of(data)))
    return {"output": output, "expect": {"output": data["output"]}}


@adapter("clip", "DeepMel")
def deep_mel_output(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    model = _loaded(case, deep_mel(case["config"]), weights)
    with torch.no_grad():
        output = model(tensors_of(data)["input"])
    return {"output": output, "expect": {"output": data["output"]}}


@adapter("clip", "FourierEmb")
def fourier_embedding(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c = case["config"]
    embedding = fourier_features(tensors_of(data)["positions"], c["dimension"], c["margin"])
    return {"embedding": embedding, "expect": {"embedding": data["embedding"]}}


def with_centre(merger: ChannelMerger, centre: torch.Tensor) -> ChannelMerger:
    """The merger with a given random centre."""
    merger.draw_centre = lambda like: centre  # type: ignore[method-assign]
    return merger


@adapter("clip", "ChannelMerger")
def channel_merger(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, tensors = case["config"], tensors_of(data)
    assert not c["per_subject"] and not c["usage_penalty"]
    merger = ChannelMerger(c["chout"], c["pos_dim"], c["dropout"])
    load_published(merger, tensors_of(weights))
    with_centre(merger, tensors["centre_to_ban"])
    results = {
        f"output_{mode}": merger.train(mode == "train")(tensors["input_meg"], tensors["positions"])
        for mode in ("eval", "train")
    }
    results = {name: value.detach() for name, value in results.items()}
    return {**results, "expect": {name: data[name] for name in results}}


@adapter("clip", "ChannelDropout")
def channel_dropout(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    c, tensors = case["config"], tensors_of(data)
    layer = ChannelDropout(c["dropout"], c["rescale"])
    layer.draw_centres = lambda like: tensors["centres"]  # type: ignore[method-assign]
    results = {
        f"output_{mode}": layer.train(mode == "train")(tensors["input_meg"], tensors["positions"])
        for mode in ("eval", "train")
    }
    return {**results, "expect": {name: data[name] for name in results}}


def _network(config: dict) -> nn.Module:
    """The network that the options tell."""
    if "n_in_channels" in config:
        return deep_mel(config)
    return convrnn(config) if "lstm" in config else simpleconv(config)


@adapter("clip", "keys")
def keys(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    with torch.device("meta"):
        model = _network(case["build"])
    ours = {name: list(value.shape) for name, value in to_published(model).items()}
    theirs = {name: list(shape) for name, shape in case["tensors"]}
    differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
    assert not differing, f"{len(differing)} tensors differ, first {differing[0]}"
    count = sum(p.numel() for p in model.parameters())
    return {"n": count, "tensors": len(ours),
            "expect": {"n": case["n_parameters"], "tensors": len(theirs)}}  # fmt: skip

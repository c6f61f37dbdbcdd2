"""Published Du-IN checkpoints into saved models of ours: VQ-VAE, MAE, classifier, phonemes.

The sizes are read off the tensors. Strides, which no tensor shows, are the published ones, and
checked against the width of the tokens.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import UserError
from ...facts import DataFacts
from .. import MODELS
from ..foreign import read_checkpoint
from ..importing import Imported, dtype_words
from ..saved import fit
from .published import our_state

RATE_HZ, PATCH_SAMPLES = 1000.0, 100
#: Windows of the published decoder: whole trials, scaled channel by channel. The statistics of its
#: training are not in the file: those of the recording that is given take their place.
RECIPE: Mapping[str, Any] = {
    "preprocess": [],
    "segment": {"kind": "trial", "offset_s": 0.0, "duration_s": None, "label": "label"},
    "scale": {"kind": "zscore", "clamp": None},
}
#: Top-level keys of files that hold more than a state dict; the published ones hold it alone.
KEYS = ("model", "module", "state_dict")
State = Mapping[str, Tensor]


def kind_of(state: State) -> str:
    """Return the registered name of the model that tensors (our names) are of, empty if none."""
    if not any(name.startswith("backbone.tokenizer") for name in state):
        return ""
    if any(name.startswith("decoder.") for name in state):
        return "duin_vqvae"
    if "mask_token" in state:
        return "duin_mae"
    if any(name.startswith("heads.final.") for name in state):
        return "duin_phoneme"
    return "duin_cls" if "head.output.weight" in state else ""


def _layers(state: State, pattern: str) -> list[Tensor]:
    """Return the tensors whose names match, by the number in them."""
    matches = [m for m in map(re.compile(pattern + "$").match, state) if m]
    return [state[m.string] for m in sorted(matches, key=lambda m: int(m[1]))]


def _strides(kernels: Sequence[int], where: str) -> list[int]:
    """Return the published strides of convolutions: 10 where the kernel is 10 or 19, else 1."""
    if not kernels:
        raise UserError(f"{where}: no convolution")
    return [10 if kernel in (10, 19) else 1 for kernel in kernels]


def backbone_of(state: State) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the section `backbone` that tensors show, and n_channels, n_subjects and n_times."""
    single = "backbone.subject.weight" in state
    first = r"backbone\.tokenizer" if single else r"backbone\.tokenizers\.0"
    convolutions = _layers(state, first + r"\.blocks\.(\d+)\.conv\.weight")
    prefix = first.replace("\\", "")
    kernels = [int(weight.shape[-1]) for weight in convolutions]
    filters = [int(weight.shape[0]) for weight in convolutions]
    strides = _strides(kernels, prefix)
    length, width = state["backbone.time.table"].shape
    if width * math.prod(strides) != filters[-1] * PATCH_SAMPLES:
        raise UserError(
            f"tokens of {width} values from {filters[-1]} filters: not patches of {PATCH_SAMPLES} "
            f"samples with strides {strides}, as published"
        )
    norms = [f"{prefix}.blocks.{i}.norm.weight" in state for i in range(len(kernels))]
    count = len(kernels)
    patches = {
        "samples": PATCH_SAMPLES, "filters": filters, "kernels": kernels, "strides": strides,
        "dilations": [1] * count, "batch_norm": norms, "residual": [False] * count,
        "pools": [1] * count,
    }  # fmt: skip
    section = {
        "variant": "single" if single else "poms",
        "patches": patches,
        "blocks": _blocks_of(state, "backbone.blocks"),
    }
    inner = int(convolutions[0].shape[1])  # features of a person, or contacts
    if single:
        people, cells = state["backbone.subject.weight"].shape
        section["subject"] = {
            "width": inner,
            "bias": "backbone.subject.offset" in state,
            "projection": "backbone.subject.projection.weight" in state,
        }
        sizes = {"n_channels": cells // inner, "n_subjects": people}
    else:
        names = {name.split(".")[2] for name in state if name.startswith("backbone.tokenizers.")}
        sizes = {"n_channels": inner, "n_subjects": len(names)}
    return section, {**sizes, "n_times": length * PATCH_SAMPLES}


def _blocks_of(state: State, prefix: str) -> dict[str, Any]:
    first = f"{prefix}.0."
    head_width = len(state[f"{first}attention.query_norm.weight"])
    return {
        "depth": len(_layers(state, re.escape(prefix) + r"\.(\d+)\.feed_forward\.fc1\.weight")),
        "n_heads": state[f"{first}attention.query.weight"].shape[0] // head_width,
        "head_width": head_width,
        "ff_width": state[f"{first}feed_forward.fc1.weight"].shape[0],
    }


def _codes_of(state: State) -> dict[str, Any]:
    n_codes, width = state["codes.quantiser.codebook"].shape
    return {"n_codes": n_codes, "width": width}


def _hidden_of(state: State, prefix: str) -> list[int]:
    return [len(w) for w in _layers(state, re.escape(prefix) + r"\.hidden\.(\d+)\.weight")]


def _vqvae_of(state: State) -> dict[str, Any]:
    single = "readout.weight" in state
    head = r"head" if single else r"heads\.0"
    convolutions = _layers(state, head + r"\.convolutions\.(\d+)\.weight")
    kernels = [int(weight.shape[-1]) for weight in convolutions]
    options = {
        "filters": [int(weight.shape[1]) for weight in convolutions],
        "kernels": kernels,
        "strides": _strides(kernels, head),
        "hidden": [len(w) for w in _layers(state, head + r"\.hidden\.(\d+)\.0\.weight")],
    }
    depth = _blocks_of(state, "decoder")["depth"]
    return {"codes": _codes_of(state), "decoder_depth": depth, "head": options}


def _mae_of(state: State) -> dict[str, Any]:
    return {"n_codes": len(state["head.output.weight"]), "hidden": _hidden_of(state, "head")}


def _cls_of(state: State) -> dict[str, Any]:
    sizes = {"n_outputs": len(state["head.output.weight"]), "hidden": _hidden_of(state, "head")}
    if "contrast.left.weight" not in state:
        return sizes
    width = len(state["contrast.left.weight"])
    contrast = {"width": width, "mode": _mode_of(state["contrast.temperature"]), "shared": True}
    return {**sizes, "codes": _codes_of(state), "contrast": contrast, "extras": True}


def _mode_of(temperature: Tensor) -> str:
    return {0.5: "clip_orig", 0.25: "clip"}.get(round(float(temperature), 4), "unicl")


def _phoneme_of(state: State) -> dict[str, Any]:
    heads = {n: len(state[f"heads.{n}.output.weight"]) for n in ("initial", "final")}
    sizes = {"heads": heads, "hidden": _hidden_of(state, "heads.final"), "trained": ["final"]}
    if "codes.quantiser.codebook" not in state:
        return sizes
    return {**sizes, "codes": _codes_of(state), "extras": True}


#: Kind -> what its tensors say beside the backbone.
OTHERS: Mapping[str, Callable[[State], dict[str, Any]]] = {
    "duin_vqvae": _vqvae_of,
    "duin_mae": _mae_of,
    "duin_cls": _cls_of,
    "duin_phoneme": _phoneme_of,
}


def import_published(
    path: Path,
    people: Sequence[str] = (),
    channels: Sequence[str] = (),
    partial: bool = False,
    weights: str | None = None,
    classes: Sequence[str] = (),
) -> tuple[Imported, DataFacts]:
    """Build the model of a published checkpoint, with its weights.

    Args:
        path: such as duin/001/mae/model/checkpoint-399.pth.
        people: who the rows of the file are, as `study/subject`; empty = numbered. Weights of a
            person are used for the person of that name.
        channels: names in the order of the file; empty = numbered.
        partial: keep what fits.
        weights: key or prefix of one of several sets of weights.
        classes: names of the decoder's words in the order of its outputs; empty = numbered.

    Returns:
        the model, and facts of its data: no scaling is in the file.

    Raises:
        UserError: not such a file, sizes that differ from the lists, or tensors that do not fit.
    """
    file = read_checkpoint(path, KEYS, weights)
    state = our_state(file.tensors)
    kind = kind_of(state)
    if not kind:
        some = ", ".join(list(file.tensors)[:3])
        raise UserError(
            f"path={path}: 0 of {len(state)} tensors are a stage of Du-IN ({some}, ...)"
        )
    try:
        section, sizes = backbone_of(state)
        arguments = {**sizes, "backbone": section, **OTHERS[kind](state)}
    except KeyError as error:
        raise UserError(f"path={path}: no tensor {error.args[0]!r}, not a whole {kind}") from None
    except UserError as error:
        raise UserError(f"path={path}: {error}") from None
    for name, names in (("n_subjects", people), ("n_channels", channels)):
        if names and len(names) != sizes[name]:
            word = {"n_subjects": "subjects", "n_channels": "channels"}[name]
            raise UserError(f"{word}={list(names)}: the file is of {sizes[name]} {word}")
    module: nn.Module = MODELS.get(kind)(**arguments)
    module.bm_arguments = {"name": kind, "target": None, "arguments": arguments}  # type: ignore[assignment]
    report = fit(module, state, str(path))
    if not report.matched or not (partial or report.complete):
        raise UserError(f"{report}; partial=true keeps what fits")
    types = {name: tensor.dtype for name, tensor in state.items()}
    imported = Imported(module.eval(), report, file.others, tuple(dtype_words(types, module)))
    facts = _facts(path, sizes, people, channels)
    if kind != "duin_cls":
        if classes:
            raise UserError(f"classes: the file is a {kind}, which tells no words apart")
        return imported, facts
    return imported, _decoding(facts, arguments["n_outputs"], classes)


def _facts(
    path: Path, sizes: Mapping[str, int], people: Sequence[str], channels: Sequence[str]
) -> DataFacts:
    names = tuple(channels) or tuple(str(n + 1) for n in range(sizes["n_channels"]))
    rows = tuple(people) or tuple(f"{path.stem}/{n}" for n in range(sizes["n_subjects"]))
    kinds = ("seeg",) * len(names)
    return DataFacts(names, RATE_HZ, sizes["n_times"], kinds=kinds, subjects=rows, preprocess=())


def _decoding(facts: DataFacts, n_outputs: int, classes: Sequence[str]) -> DataFacts:
    """Return facts with what `bm.Predictor` needs of a decoder of words."""
    names = tuple(classes) or tuple(f"word {n}" for n in range(n_outputs))
    if len(names) != n_outputs or len(set(names)) != n_outputs:
        raise UserError(f"classes: {len(set(names))} names; the file tells {n_outputs} words apart")
    # a sigmoid for each word, as published
    outputs = {"kind": "classes", "link": "sigmoid_share"}
    return dataclasses.replace(facts, classes=names, recipe=dict(RECIPE), outputs=outputs)

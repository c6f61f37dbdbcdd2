"""Published LaBraM checkpoints into saved models of ours: tokenizer, pre-trained, fine-tuned.

The sizes are read from the tensors; the number of heads, which no tensor shows without q/k norms,
from the published table of widths.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import UserError
from ...facts import DataFacts
from ...nn.electrodes import N_ROWS, NAMES
from .. import MODELS
from ..contract import Patched
from ..foreign import ForeignFile, read_checkpoint
from ..importing import Imported, dtype_words
from ..saved import acceptable, fit
from .published import our_state

KEYS = ("model", "module", "state_dict")
#: starts of names that the published loaders drop, or that a later version no longer has
DROPPED = ("loss", "teacher", "scaling", "logit_scale")
HEADS = {200: 10, 400: 16, 800: 16}  # by width, as published
#: preprocessing of the published data (Jiang et al., 2024, section 3.2), as in
#: conf/dset/labram_corpus.yaml
PREPROCESS = (
    {"step": "bandpass", "low_hz": 0.1, "high_hz": 75.0},
    {"step": "notch", "freqs_hz": [50.0]},
)
STRIDE = 8  # samples of a patch for each of the D / F steps in time


def kind_of(state: Mapping[str, Tensor]) -> str:
    """Return the registered name of the model that tensors (our names) are of, empty if none."""
    if "quantiser.codebook" in state:
        return "vqnsp"
    if "student.cls_token" in state:
        return "labram_masked"
    return "labram" if "patch_embed.conv1.weight" in state and "cls_token" in state else ""


def backbone_sizes(
    state: Mapping[str, Tensor], prefix: str, n_heads: int | None = None
) -> dict[str, Any]:
    """Return the arguments of the `Backbone` whose tensors begin with `prefix`.

    Raises:
        UserError: no tensor or table tells the number of heads.
    """
    part = {n[len(prefix) :]: t for n, t in state.items() if n.startswith(prefix)}
    width = part["cls_token"].shape[-1]
    numbers = {int(name.split(".")[1]) for name in part if name.startswith("blocks.")}
    heads = n_heads or HEADS.get(width)
    if "blocks.0.attn.q_norm.weight" in part:
        heads = width // len(part["blocks.0.attn.q_norm.weight"])
    if heads is None:
        raise UserError(f"heads of a network of width {width} are not known; give n_heads=")
    sizes = {
        "width": width,
        "depth": max(numbers, default=-1) + 1,
        "n_heads": heads,
        "mlp_ratio": part["blocks.0.mlp.fc1.weight"].shape[0] / width,
        "qkv_bias": "blocks.0.attn.q_bias" in part,
        "qk_norm": "blocks.0.attn.q_norm.weight" in part,
        "layer_scale": 0.1 if "blocks.0.gamma_1" in part else 0.0,  # the value is in the tensors
        "positions": "pos_embed" in part,
    }
    if "patch_embed.conv1.weight" in part:
        n_filters = part["patch_embed.conv1.weight"].shape[0]
        sizes |= {"n_filters": n_filters, "patch_samples": width // n_filters * STRIDE}
    return sizes


def arguments_of(
    kind: str, state: Mapping[str, Tensor], n_heads: int | None = None
) -> dict[str, Any]:
    """Return the keyword arguments of the model `kind` that its tensors show."""
    if kind == "vqnsp":
        n_codes, code_width = state["quantiser.codebook"].shape
        return {
            "encoder": backbone_sizes(state, "encoder.", n_heads),
            "decoder": backbone_sizes(state, "decoder.", n_heads),
            "n_codes": n_codes,
            "code_width": code_width,
        }
    if kind == "labram_masked":
        sizes = backbone_sizes(state, "student.", n_heads)
        n_codes = state["lm_head.weight"].shape[0]
        return {"backbone": sizes, "n_codes": n_codes, "class_row": "electrode"}
    outputs = state["head.weight"].shape[0] if "head.weight" in state else 0
    pooling = "class" if "norm.weight" in state else "mean"
    sizes = backbone_sizes(state, "", n_heads)
    return {"backbone": sizes, "n_outputs": outputs, "pooling": pooling}


def import_published(
    path: Path, partial: bool = False, n_heads: int | None = None, weights: str | None = None
) -> Imported:
    """Build the model of a published file with its weights, ready for `bm.models.save`.

    Args:
        path: labram-base.pth, vqnsp.pth, or a checkpoint of the published fine-tuning.
        partial: load what fits when something is missing or has another shape.
        n_heads: for a network of an unpublished width without q/k norms.
        weights: key or prefix of one of several sets of weights, such as an average.

    Raises:
        UserError: not such a file, nothing matched, or not everything did and not `partial`.
    """
    file = read_checkpoint(path, KEYS, weights)
    tensors, dropped = _renamed(file)
    kind = kind_of(tensors)
    if not kind:
        some = ", ".join(list(file.tensors)[:3])
        raise UserError(f"path={path}: 0 of {len(file.tensors)} tensors are LaBraM's ({some}, ...)")
    try:
        arguments = arguments_of(kind, tensors, n_heads)
    except KeyError as error:
        raise UserError(f"path={path}: no tensor {error.args[0]!r}, not a whole {kind}") from None
    module: nn.Module = MODELS.get(kind)(**arguments)
    module.bm_arguments = {"name": kind, "target": None, "arguments": arguments}  # type: ignore[assignment]
    loaded = fit(module, tensors, str(path))
    report = dataclasses.replace(loaded, unexpected=(*loaded.unexpected, *dropped))
    # a whole file has every tensor, so that nothing may be missing here, head and norms included
    whole = acceptable(module, loaded) and not loaded.missing
    if not loaded.matched or not (partial or whole):
        raise UserError(f"{report}; partial=true keeps what fits")
    types = {name: tensor.dtype for name, tensor in tensors.items()}
    return Imported(module.eval(), report, file.others, tuple(dtype_words(types, module)))


def published_facts(module: Patched) -> DataFacts:
    """Return the facts of the data of a published model: all 128 names at 200 Hz, one patch."""
    return DataFacts(NAMES[: N_ROWS - 1], 200.0, module.patch_samples, preprocess=PREPROCESS)


def _renamed(file: ForeignFile) -> tuple[dict[str, Tensor], list[str]]:
    """Return tensors under our names, and the names of those that no model has any more."""
    dropped = [n for n in file.tensors if n.startswith(DROPPED) or "relative_position_index" in n]
    return our_state({n: t for n, t in file.tensors.items() if n not in dropped}), dropped

"""Published LaBraM checkpoints into saved models of ours: tokenizer, pre-trained, fine-tuned.

The sizes are read from the tensors; the number of heads, which no tensor shows without q/k norms,
from the published table of widths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import UserError
from ...nn.electrodes import N_ROWS, NAMES
from .. import MODELS
from ..foreign import ForeignFile, read_checkpoint
from ..saved import LoadReport, acceptable, fit
from .backbone import Backbone
from .published import our_state

KEYS = ("model", "module", "state_dict")
#: starts of names that the published loaders drop, or that a later version no longer has
DROPPED = ("loss", "teacher", "scaling", "logit_scale")
HEADS = {200: 10, 400: 16, 800: 16}  # by width, as published
#: of the published data (labram spec 2.1), as in conf/dset/labram_corpus.yaml
PREPROCESS = (
    {"step": "bandpass", "low_hz": 0.1, "high_hz": 75.0},
    {"step": "notch", "freqs_hz": [50.0]},
)
STRIDE = 8  # samples of a patch for each of the D / F steps in time


def kind_of(state: Mapping[str, Tensor]) -> str:
    """Registered name of the model that the tensors (our names) belong to, empty when none."""
    if "quantiser.codebook" in state:
        return "vqnsp"
    if "student.cls_token" in state:
        return "labram_masked"
    return "labram" if "patch_embed.conv1.weight" in state and "cls_token" in state else ""


def backbone_sizes(
    state: Mapping[str, Tensor], prefix: str, n_heads: int | None = None
) -> dict[str, Any]:
    """Arguments of the `Backbone` whose tensors begin with `prefix`.

    Raises:
        UserError: the number of heads cannot be known.
    """
    own = {n[len(prefix) :]: t for n, t in state.items() if n.startswith(prefix)}
    width = own["cls_token"].shape[-1]
    numbers = {int(name.split(".")[1]) for name in own if name.startswith("blocks.")}
    heads = n_heads or HEADS.get(width)
    if "blocks.0.attn.q_norm.weight" in own:
        heads = width // len(own["blocks.0.attn.q_norm.weight"])
    if heads is None:
        raise UserError(f"heads of a network of width {width} are not known; give n_heads=")
    found = {
        "width": width,
        "depth": max(numbers, default=-1) + 1,
        "n_heads": heads,
        "mlp_ratio": own["blocks.0.mlp.fc1.weight"].shape[0] / width,
        "qkv_bias": "blocks.0.attn.q_bias" in own,
        "qk_norm": "blocks.0.attn.q_norm.weight" in own,
        "layer_scale": 0.1 if "blocks.0.gamma_1" in own else 0.0,  # the value is in the tensors
        "positions": "pos_embed" in own,
    }
    if "patch_embed.conv1.weight" in own:
        n_filters = own["patch_embed.conv1.weight"].shape[0]
        found |= {"n_filters": n_filters, "patch_samples": width // n_filters * STRIDE}
    return found


def arguments_of(
    kind: str, state: Mapping[str, Tensor], n_heads: int | None = None
) -> dict[str, Any]:
    """Keyword arguments of the model `kind` that its tensors show."""
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


@dataclass(frozen=True)
class Imported:
    """A model, what became of the tensors of its file, and what else the file holds, in words."""

    module: nn.Module
    report: LoadReport
    others: dict[str, str]


def import_published(path: Path, partial: bool = False, n_heads: int | None = None) -> Imported:
    """The model of a published file with its weights, ready for `bm.models.save`.

    Args:
        path: labram-base.pth, vqnsp.pth, or a checkpoint of the published fine-tuning.
        partial: keep what fits when something is missing or has another shape.
        n_heads: for a network of an unpublished width without q/k norms.

    Raises:
        UserError: not such a file, nothing matched, or not everything did and not `partial`.
    """
    file = read_checkpoint(path, KEYS)
    kept, dropped = _sorted_out(file)
    kind = kind_of(kept)
    if not kind:
        some = ", ".join(list(file.tensors)[:3])
        raise UserError(f"path={path}: 0 of {len(file.tensors)} tensors are LaBraM's ({some}, ...)")
    try:
        arguments = arguments_of(kind, kept, n_heads)
    except KeyError as error:
        raise UserError(f"path={path}: no tensor {error.args[0]!r}, not a whole {kind}") from None
    module: nn.Module = MODELS.get(kind)(**arguments)
    module.bm_arguments = {"name": kind, "target": None, "arguments": arguments}  # type: ignore[assignment]
    found = fit(module, kept, str(path))
    report = LoadReport(
        found.source,
        found.matched,
        found.missing,
        (*found.unexpected, *dropped),
        found.wrong_shape,
    )
    if not found.matched or not (partial or (acceptable(module, found) and not found.missing)):
        raise UserError(f"{report}; partial=true keeps what fits")
    return Imported(module.eval(), report, file.others)


def published_facts(module: nn.Module) -> dict[str, Any]:
    """Arguments of `DataFacts` for a published model: all 128 names at 200 Hz, one patch."""
    sizes = {m.patch_samples for m in module.modules() if isinstance(m, Backbone)}
    return {
        "channels": NAMES[: N_ROWS - 1],
        "rate_hz": 200.0,
        "window_samples": max(sizes),
        "preprocess": PREPROCESS,
    }


def _sorted_out(file: ForeignFile) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors under our names, and the names of those that no model has any more."""
    dropped = [n for n in file.tensors if n.startswith(DROPPED) or "relative_position_index" in n]
    return our_state({n: t for n, t in file.tensors.items() if n not in dropped}), dropped

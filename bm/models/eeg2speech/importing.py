"""Files in AudioLDM's format into saved models: denoiser, first stage, vocoder.

A Lightning file holds all three, its averages and tables of the noise schedule; the section of the
model says which part is read. What belongs to other parts is counted, not silently dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import UserError
from ...facts import DataFacts
from ..foreign import ForeignFile, read_checkpoint
from ..importing import KEYS, Imported, load_renamed
from ..saved import build
from . import published
from .autoencoder import MelAutoencoder
from .latent import LatentDiffusion
from .vocoder import Vocoder

DENOISER, AVERAGE, FIRST_STAGE = "model.diffusion_model.", "model_ema.", "first_stage_model."
VOCODER = "vocoder."
#: Children of the first stage that are not the autoencoder.
ASIDE = ("loss.", VOCODER)
SCALE = "scale_factor"


def published_names(module: nn.Module) -> dict[str, str]:
    """Return our name -> the original's, without its prefix, of the tensors of a model."""
    names = {n.removeprefix("network."): n for n in module.state_dict() if n.startswith("network.")}
    if isinstance(module, LatentDiffusion):
        theirs = published.denoiser_names(names, module.sizes)
        named = {names[name]: there for name, there in theirs.items()}
        return {**named, "scale": SCALE}
    if isinstance(module, MelAutoencoder):
        theirs = published.autoencoder_names(names, module.sizes)
    else:
        theirs = published.vocoder_names(names)
    return {names[name]: there for name, there in theirs.items()}


def names_with_own(module: nn.Module) -> dict[str, str]:
    """Return `published_names`, and under their own name the tensors that the original lacks."""
    return {**{name: name for name in module.state_dict()}, **published_names(module)}


def part_of(module: nn.Module, tensors: Mapping[str, Tensor], average: bool) -> dict[str, Tensor]:
    """Return the tensors of a file that belong to a model, without prefix, in our form.

    Args:
        module: of one of the three kinds.
        tensors: of the file, by name.
        average: take the denoiser's moving averages instead of its weights.

    Raises:
        UserError: averages that the file does not have.
    """
    if isinstance(module, LatentDiffusion):
        return _denoiser_part(module, tensors, average)
    part = _below(tensors, FIRST_STAGE)
    if isinstance(module, Vocoder):
        plain = published.without_weight_norm(_below(part, VOCODER))
        state = module.state_dict()
        # statistics of the library's vocoder that the original lacks: it scales nothing
        return plain | {f"network.{n}": state[f"network.{n}"] for n in ("mean", "scale")}
    rest = {name: t for name, t in part.items() if not name.startswith(ASIDE)}
    return published.attention_as_linear(rest)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return tensors under a prefix without it; all of them where none has it."""
    below = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return below or dict(tensors)


def _denoiser_part(
    module: LatentDiffusion, tensors: Mapping[str, Tensor], average: bool
) -> dict[str, Tensor]:
    if not average:
        part = _below(tensors, DENOISER)
        return part | ({SCALE: tensors[SCALE]} if SCALE in tensors else {})
    names = {published.average_name(t): t for n, t in published_names(module).items() if t != SCALE}
    part = {names[n]: t for n, t in tensors.items() if n in names}
    if not part:
        raise UserError("weights=model_ema: the file holds no averages of the denoiser")
    return part | ({SCALE: tensors[SCALE]} if SCALE in tensors else {})


def import_published(
    path: Path,
    section: Mapping[str, Any],
    sizes: Mapping[str, int | float | None],
    partial: bool = False,
    weights: str | None = None,
) -> tuple[Imported, DataFacts]:
    """Build the model of a section with the weights of a file in AudioLDM's format.

    Args:
        path: of the file, with or without the prefixes of a whole checkpoint.
        section: plain `model` section: denoiser, autoencoder or vocoder.
        sizes: not used; every size is the section's.
        partial: load what fits.
        weights: model_ema = the averages of the denoiser.

    Returns:
        the model, and facts of its data.

    Raises:
        UserError: no such file, or tensors that do not fit.
    """
    average = weights in ("ema", "model_ema")
    if weights is not None and not average:
        raise UserError(f"weights={weights}: model_ema, or leave it out")
    facts = DataFacts((), float(section.get("sound_hz", 16000)), 0)
    module = build(section, facts)
    file = read_checkpoint(path, ("state_dict", "generator", *KEYS))
    part = part_of(module, file.tensors, average)
    others = {**file.others, **_aside(file.tensors)} if len(part) < len(file.tensors) else {}
    present = ForeignFile(file.path, file.key, part, others)
    return load_renamed(module, names_with_own, present, partial), facts


def _aside(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Count the tensors of a whole checkpoint by their part."""
    parts = Counter(
        ".".join(name.split(".")[: 2 if name.startswith(FIRST_STAGE) else 1]) for name in tensors
    )
    return {part: f"{count} tensors in the file" for part, count in parts.items()}

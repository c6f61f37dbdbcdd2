"""State dicts of Brain-Diffusion's denoisers into saved models of a `model` section.

The original trains networks of diffusers; what it saves is their state dict, under the names of
the version of early 2023 or those of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import UserError
from ...facts import DataFacts
from ..foreign import ForeignFile, read_checkpoint
from ..importing import KEYS, Imported, load_renamed, shown_sizes
from ..saved import build
from .pipeline_folder import is_pipeline, rate_of, section_of_folder, weights_of

#: Names of the linear layers of attention in diffusers before version 0.15, and today's.
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def present_name(name: str) -> str:
    """Return today's name of a tensor of a checkpoint that was written in early 2023."""
    module, _, kind = name.rpartition(".")
    owner, _, last = module.rpartition(".")
    if "attentions" in owner and last in OLD_ATTENTION:
        return f"{owner}.{OLD_ATTENTION[last]}.{kind}"
    return name


def published_names(model: nn.Module) -> dict[str, str]:
    """Return the original's name of each tensor: the denoiser's, without our prefix."""
    return {name: name.removeprefix("network.") for name in model.state_dict()}


def import_published(
    path: Path,
    section: Mapping[str, Any],
    sizes: Mapping[str, float | None],
    partial: bool = False,
    weights: str | None = None,
) -> tuple[Imported, DataFacts]:
    """Build the model of a section with the weights of an original denoiser.

    Args:
        path: of the file, or of a pipeline folder, whose files say network, noise and spectrogram.
        section: plain `model` section, such as that of model=eegdiff/bci_stft.
        sizes: n_channels (None = read off the tensors), n_times and rate_hz, which no tensor shows.
        partial: load what fits.
        weights: key or prefix of one of several sets of weights.

    Returns:
        the model, and facts of its data.

    Raises:
        UserError: no such file, sizes missing, or tensors that do not fit.
    """
    if is_pipeline(path):
        section = section_of_folder(path, section)
        sizes = {**sizes, "rate_hz": sizes.get("rate_hz") or rate_of(path)}
        path = weights_of(path)
    if not sizes.get("n_times") or not sizes.get("rate_hz"):
        raise UserError("family=eegdiff: no tensor shows n_times and rate_hz; give both")
    rate, times = float(sizes["rate_hz"] or 0), int(sizes["n_times"] or 0)

    def facts(n_channels: int) -> DataFacts:
        return DataFacts(tuple(str(n + 1) for n in range(n_channels)), rate, times)

    def network(n_channels: int) -> nn.Module:
        return build(section, facts(n_channels))

    file = read_checkpoint(path, KEYS, weights)
    tensors = {present_name(name): tensor for name, tensor in file.tensors.items()}
    n_channels = sizes.get("n_channels")
    unknown = {"n_channels": None if n_channels is None else int(n_channels)}
    shown = shown_sizes(network, published_names, tensors, unknown)
    if "n_channels" not in shown:
        raise UserError(f"path={path}: no tensor shows n_channels; give n_channels=")
    module = network(**shown)
    present = ForeignFile(file.path, file.key, tensors, file.others)
    return load_renamed(module, published_names, present, partial), facts(**shown)

"""Embeddings that another program computed, as safetensors: checked before they are trained on."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...errors import UserError
from ...models.eeg2speech.conditioning import SOURCES, resized
from ...models.saved import read_tensors
from ...writing import replacing

ENCODER = "encoder"  # key of the file's metadata: address of the encoders


def write_embeddings(path: Path, audio: Tensor, eeg: Tensor, encoder: str) -> None:
    """Write embeddings (N, D) or (N, D, T) of both sides, a row for each window of the data set.

    Args:
        path: `.safetensors`.
        audio, eeg: of the sound and of the brain.
        encoder: address of the encoders, such as //sig/ab12cd34.
    """
    from safetensors.torch import save_file

    tensors = {"audio": audio.clone(), "eeg": eeg.clone()}
    with replacing(path) as aside:
        save_file(tensors, aside, metadata={ENCODER: encoder})


def _encoder_of(path: Path) -> str | None:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata: dict[str, str] = file.metadata() or {}
    return metadata.get(ENCODER)


def read_embeddings(path: Path, encoder: str, clips: int, width: int, steps: int) -> Tensor:
    """Read embeddings of both sides of all windows: (N, 2 D S), the sound's first.

    Args:
        path: of the file.
        encoder: address that the run names.
        clips: N, windows of the data set.
        width: D, of the encoders.
        steps: S, to which their time is averaged.

    Raises:
        UserError: no such file, of another encoder, of another width, too few, or not finite.
    """
    if not path.exists():
        raise UserError(f"solver.embeddings={path}: no such file")
    tensors = read_tensors(path)
    missing = [name for name in SOURCES if name not in tensors]
    if missing:
        raise UserError(f"solver.embeddings={path}: no tensor {missing[0]!r}; it has audio and eeg")
    before = _encoder_of(path)
    if before != encoder:
        raise UserError(
            f"solver.embeddings={path}: computed by encoder {before}, the run names {encoder}; "
            "compute them anew, or name that encoder"
        )
    sides = [_side(path, name, tensors[name].float(), clips, width) for name in SOURCES]
    return torch.stack([resized(side, steps) for side in sides], 1).flatten(1)


def _side(path: Path, name: str, values: Tensor, clips: int, width: int) -> Tensor:
    """Return embeddings (N, D, T) of a side after its checks."""
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1] != width:
        raise UserError(
            f"solver.embeddings={path}: {name} has shape {tuple(values.shape)}; the encoders give "
            f"{width} numbers a clip"
        )
    if len(values) != clips:
        raise UserError(
            f"solver.embeddings={path}: {name} has {len(values)} rows for {clips} clips; compute "
            "them for every window of the data set"
        )
    bad = ~torch.isfinite(values).flatten(1).all(1)
    if bool(bad.any()):
        raise UserError(
            f"solver.embeddings={path}: {name} holds NaN or inf in {int(bad.sum())} of {clips} "
            f"rows, first {int(torch.nonzero(bad)[0])}"
        )
    return values

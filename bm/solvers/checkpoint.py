"""The checkpoint file: whole or absent, only tensors and plain values, the previous one kept."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError

logger = logging.getLogger(__name__)
NAME = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"


def write(path: Path, state: dict[str, Any]) -> None:
    """Write beside, flush to the disk, keep the old file as the previous one, rename.

    The checksum of the archive is switched off: it costs more than the write itself, and a file
    that was cut short is seen without it (the directory stands at its end).
    """
    temporary = path.with_name(f".{path.name}.tmp")
    checksum = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        with open(temporary, "wb", buffering=0) as file:
            torch.save(state, file)
            os.fsync(file.fileno())
    finally:
        torch.serialization.set_crc32_options(checksum)
    if path.exists():
        os.replace(path, path.with_name(PREVIOUS))
    os.replace(temporary, path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(folder: Path) -> dict[str, Any] | None:
    """The newest whole checkpoint of an experiment on the CPU, None when there is none.

    Raises:
        UserError: files are there but none can be read.
    """
    broken = []
    for name in (NAME, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            logger.warning("%s cannot be read (%s)", path, str(error).splitlines()[0])
            broken.append(path)
            continue
        return dict(state)
    if broken:
        names = " and ".join(str(path) for path in broken)
        raise UserError(f"{names} cannot be read; start afresh with --clear")
    return None


def keep(folder: Path, epoch: int, epochs: Iterable[int]) -> None:
    """Keep the checkpoint of an epoch for ever when it is one of `epochs` (a hard link)."""
    if epoch in set(epochs):
        target = folder / f"checkpoint.epoch{epoch:04d}.pt"
        target.unlink(missing_ok=True)
        os.link(folder / NAME, target)

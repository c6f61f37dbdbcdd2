"""Marker of a finished experiment: what downstream experiments and tables wait for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..writing import sync
from .files import read_or_warn, write_json

NAME = "finished.json"


def write(folder: Path, values: Mapping[str, Any]) -> None:
    """Declare the experiment in `folder` finished."""
    write_json(folder / NAME, values)
    # the queue calls the job completed next: a power cut must not take the marker alone
    sync(folder)


def read(folder: Path) -> dict[str, Any] | None:
    """Return what was written at the end, None when the experiment has not finished."""
    return read_or_warn(folder / NAME)


def exists(folder: Path) -> bool:
    """Return whether the experiment in `folder` has finished; a damaged marker says nothing."""
    return (folder / NAME).exists() and read(folder) is not None


def settled(folder: Path) -> bool:
    """Return whether the experiment in `folder` has finished, with its marker on the disk.

    Who wrote it may have died before the disk had its name: a power cut would take it from under
    a job that is called completed.
    """
    finished = exists(folder)
    if finished:
        sync(folder)
    return finished

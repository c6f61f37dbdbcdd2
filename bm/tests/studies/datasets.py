"""Data sets as shipped configurations build them, on the files of a test."""

from __future__ import annotations

from pathlib import Path

from bm.data.dataset import build_dataset
from bm.data.store import Store
from bm.studies import recordings_of

from ..shipped import section


def dset(name: str, **changes) -> dict:
    return {**section("dset", name), **changes}


def dataset(name: str, root: Path, **changes):
    wanted = dset(name, **changes)
    recordings, _ = recordings_of(wanted["studies"], {"studies": root, "cache": root / "cache"})
    return build_dataset(recordings, wanted, store=Store(root / "cache"))

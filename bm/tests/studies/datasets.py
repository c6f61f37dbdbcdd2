"""Data sets as shipped configurations build them, on the files of a test."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf

from bm.data.dataset import build_dataset
from bm.data.store import Store
from bm.studies import recordings_of

CONF = Path(__file__).parents[3] / "conf" / "dset"


def dset(name: str, **changes) -> dict:
    saved = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    assert isinstance(saved, dict)
    return {**saved, **changes}


def dataset(name: str, root: Path, **changes):
    wanted = dset(name, **changes)
    recordings, _ = recordings_of(wanted["studies"], {"studies": root, "cache": root / "cache"})
    return build_dataset(recordings, wanted, store=Store(root / "cache"))

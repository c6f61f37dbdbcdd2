"""Ablations: the published system and eleven without a part of it; 144 experiments."""

from __future__ import annotations

from typing import Any

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import each, published

#: What is taken away; in the order of the publication's code.
ABLATIONS: dict[str, dict[str, Any]] = {
    "our model": {},
    "w/o spatial attention": {"model": "clip/without_merger"},
    "w/o attention dropout": {"model.merger.dropout": 0.0},
    "w/o GLU convs": {"model.encoder.glu": 0},
    "w/o initial 1x1 conv": {"model": "clip/without_initial"},
    "ReLU": {"model.encoder.activation": "relu"},
    "w/o skip": {"model.encoder.skip": False},
    "w/o final convs": {"model.head": "none"},
    "w/o subject layer": {"model.subject.layers": False},
    "subject embedding": {"model.subject.layers": False, "model.subject.embedding": 64},
    "clamp 100": {"dset.scale.clamp": 100.0},
    "w/o clamping": {"dset.scale.clamp": 1e12},
}


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule every ablation in batches of 256, the recipe's own."""
    bound = published(launcher)
    with launcher.job_array():
        for sub in each(bound):
            for overrides in ABLATIONS.values():
                sub(overrides)

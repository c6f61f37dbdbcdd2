"""Published ablations of Du-IN: codebook, patch, mask ratio, epochs of both stages, channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import DuinExplorer
from ._rows import PEOPLE, data, starts

#: Patch in ms -> strides of the layers that make samples of a token again; windows of 3 and 4 s are
#: whole numbers of patches.
PATCHES = {40: [1, 1, 4, 1, 10], 50: [1, 1, 5, 1, 10], 200: [1, 1, 20, 1, 10]}
KEPT = (5, 15, 20, 30, 60)  # beside the 10 of every other row
EPOCHS = (5, 10, 50, 100)  # beside 400


def variants() -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Return what differs in stages 1, 2 and 3 from the published model, row by row."""
    rows: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [({}, {}, {})]
    for size in (512, 1024, 4096, 8192):
        rows.append(({"model.codes.n_codes": size}, {"model.n_codes": size}, {}))
    rows += [({"model.codes.width": width}, {}, {}) for width in (16, 32, 128)]
    for samples, strides in PATCHES.items():
        patch = {"model.backbone.patches.samples": samples}
        rows.append(({**patch, "model.head.strides": strides}, patch, patch))
    rows += [({}, {"solver.mask_ratio": ratio}, {}) for ratio in (0.4, 0.3, 0.2, 0.1)]
    target = {"solver.target": "embeddings", "model.n_codes": 64}
    rows.append(({}, target, {}))
    for epochs in EPOCHS:
        fewer = {"optim.epochs": epochs, "schedule.warmup_epochs": min(40, epochs // 2)}
        rows += [(fewer, {}, {}), ({}, fewer, {})]
    return rows


@DuinExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule each variant of all people through three stages, and other numbers of channels."""
    launcher.slurm_(gpus=1, mem_per_gpu=32, cpus_per_gpu=8, time=2880)
    for person in PEOPLE:
        words = launcher.bind([*data(person), "solver=duin/cls"])
        for tokenizer, masked, decoder in variants():
            for name, options in starts(launcher, person, "duin/clips", tokenizer, masked):
                if name == "mae":
                    words({**options, **decoder})
        _channels(launcher, person)


def _channels(launcher: Launcher, person: str) -> None:
    """Schedule words from scratch at the best n of all channels, and at all."""
    everything = [
        "dset=duin",
        f"dset.studies=[{{study: duin, subjects: ['{person}'], channels: null}}]",
    ]
    bound = launcher.bind(everything)
    scratch: Mapping[str, Any] = {"solver": "duin/cls_scratch"}
    bound(scratch)
    for keep in KEPT:
        choice = stage(bound, {"solver": "duin/channels", "solver.keep": keep})
        bound({**scratch, "dset.channels": choice})

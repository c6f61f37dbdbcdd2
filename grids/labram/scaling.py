"""Masked pre-training over model sizes and people: the report fits a power law of the test loss.

A probe of labelled windows outside the corpus stands beside the loss. Simulated people; for your
own corpus set `dset.studies` in `CORPUS`, and the sizes of `grids/labram/pretrain.py`.
"""

from __future__ import annotations

from typing import Any

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer

#: Width and depth of the encoder; the width is 25 values of each filter.
SIZES = ((100, 1), (100, 3), (200, 3), (200, 6))
PEOPLE = (6, 12, 24, 48, None)
CORPUS = {"dset": "labram/simulated_scaling"}
PROBE = [{"study": "simulated", "mode": "background", "preset": "tiny", "n_subjects": 48,
          "duration_s": 8.0, "seed": 9}]  # fmt: skip


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule a tokenizer, then 20 models of its codes; an hour on two processors."""
    launcher.slurm_(gpus=1, mem_per_gpu=16, cpus_per_gpu=4, time=240)
    tokenizer = stage(launcher, {"solver": "labram/debug_tokenizer", **CORPUS})
    options: dict[str, Any] = {"solver": "labram/debug_pretrain", **CORPUS, "tokenizer": tokenizer}
    options |= {"probe.studies": PROBE, "optim.epochs": 12, "optim.lr": 1.0e-3}
    for width, depth in SIZES:
        size = {"model.backbone.width": width, "model.backbone.n_filters": width // 25}
        for people in PEOPLE:
            launcher({**options, **size, "model.backbone.depth": depth, "dset.n_subjects": people})

"""Published ablations of LaBraM-Base: what is predicted, mask ratio, symmetry, electrodes."""

from __future__ import annotations

from typing import Any

from dora import Launcher

from bm.xp.stage import stage

from ._explorer import LabramExplorer

TASKS = ("labram/tuab", "labram/tuev")
#: Variant of the masked model -> its settings; without tokenizer the model has 200 outputs.
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {},
    "embeddings": {"solver.target": "embeddings", "model.n_codes": 64},
    "patches": {"solver.target": "patches", "model.n_codes": 200},
    "spectrum": {"solver.target": "spectrum", "model.n_codes": 200},
    **{f"ratio {r}": {"solver.mask_ratio": r} for r in (0.4, 0.3, 0.2, 0.1)},
    "asymmetric": {"solver.symmetric": False},
}


@LabramExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule each variant fine-tuned on both tasks, and fine-tuning without spatial embedding."""
    launcher.slurm_(gpus=8, mem_per_gpu=40, cpus_per_gpu=8, time=4320)
    tokenizer = stage(launcher, {"solver": "labram/tokenizer"})
    masked = launcher.bind({"solver": "labram/pretrain"})
    for options in VARIANTS.values():
        needs = (
            {}
            if options.get("solver.target") in ("patches", "spectrum")
            else {"tokenizer": tokenizer}
        )
        weights = stage(masked, {**needs, **options})
        for task in TASKS:
            launcher({"solver": task, "init_from": weights})
            if not options:
                plain = {"model.backbone.positions": False, "init_partial": True}
                launcher({"solver": task, "init_from": weights, **plain})

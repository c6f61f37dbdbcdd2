"""Settings that several grids of LaBraM share: sizes of the model, networks to compare with."""

from __future__ import annotations

from typing import Any

#: Fine-tuning of a size -> what differs from LaBraM-Base (Jiang et al. 2024, appendix).
SIZES: dict[str, dict[str, Any]] = {
    "base": {},
    "large": {
        "model": "labram/large",
        "optim.layer_decay": 0.8,
        "optim.epochs": 30,
        "schedule.warmup_epochs": 3,
    },
    "huge": {
        "model": "labram/huge",
        "optim.layer_decay": 0.8,
        "optim.epochs": 30,
        "schedule.warmup_epochs": 3,
        "model.backbone.drop_path": 0.2,
    },
}
#: Networks from scratch on the windows of a fine-tuning recipe; they take z-scores.
BASELINES = ("baselines/eegnet", "baselines/shallow_fbcsp", "baselines/conformer")
FROM_SCRATCH: dict[str, Any] = {
    "optim.layer_decay": 1.0,
    "dset.scale.kind": "zscore",
    "optim.lr": 1.0e-3,
}
SEEDS = (0, 1, 2, 3, 4)

"""Overrides that make the solvers of depth electrodes small, for tests."""

from __future__ import annotations

CLIPS = (
    "dset.studies=[{study: simulated, mode: seeg, preset: tiny, n_subjects: 1, n_free: 6, "
    "free_s: 16.0, shafts: [1, 1], contacts: [4, 4], part: free}]",
    "dset.channels=null", "log.figures=false", "optim.batch_size=8",
)  # fmt: skip
TASK = (
    "dset.studies=[{study: simulated, mode: seeg, preset: tiny, n_subjects: N, n_trials: 6, "
    "shafts: [2, 2], contacts: [4, 4], part: task}]"
)
CHOICE = (
    "model=duin/cls_small", "optim.epochs=2", "schedule.warmup_epochs=1", "optim.batch_size=8",
    "model.backbone.patches.filters=[8,8,4]", "model.backbone.blocks.depth=1",
    "model.backbone.blocks.n_heads=2", "model.backbone.blocks.head_width=8",
    "model.backbone.blocks.ff_width=16",
)  # fmt: skip
PHONEMES = (
    "solver=duin/phoneme", "model.backbone.patches.filters=[16,16,8]", "optim.epochs=6",
    "model.backbone.blocks.depth=1", "model.backbone.blocks.n_heads=2", "optim.lr=2e-3",
    "model.backbone.blocks.head_width=8", "model.backbone.blocks.ff_width=32",
    "model.heads.initial=10", "model.heads.final=10", "model.hidden=[16]", "log.figures=false",
    "schedule.warmup_epochs=1", "optim.batch_size=16", "dset.channels=null",
)  # fmt: skip


def task(people: int = 1) -> str:
    return TASK.replace("N,", f"{people},")


def words(study: str) -> str:
    return (
        "dset.studies=[{study: simulated, mode: seeg, preset: tiny, n_subjects: 1, " + study + "}]"
    )

"""Adapters of Du-IN's golden cases."""

from __future__ import annotations

from typing import Any

from bm.solvers.schedule import Schedule

from .running import Tensors, adapter


@adapter("duin", "lr_schedule")
def lr_schedule(case: dict, data: Tensors, weights: Tensors) -> dict[str, Any]:
    found: dict[str, Any] = {"expect": {}}
    for one in case["config"]["schedules"]:
        config = {
            "name": "cosine",
            "warmup_epochs": one["warmup_epochs"],
            "warmup_form": "next",
            "per_epoch": True,
            "min_lr": one["lr_min"],
        }
        ours = Schedule(config, one["lr_max"], one["n_epochs"], 3)
        found[one["name"]] = [ours.at(3 * epoch) for epoch in range(one["n_epochs"])]
        found["expect"][one["name"]] = data[one["name"]]
    return found

"""Explorers: the columns of a grid's table. A metric that is missing is an empty cell."""

from __future__ import annotations

import math
from typing import Any

import treetable as tt
from dora import Explorer


class BaseExplorer(Explorer):
    """Table with groups of stages.

    Attributes:
        columns: stage -> names of the metrics shown.
    """

    columns: dict[str, tuple[str, ...]] = {"train": ("loss",), "valid": ("loss",)}

    def get_grid_metrics(self) -> list[Any]:
        """One group per stage and one leaf per metric, with four decimals."""
        groups = [tt.group("train", [tt.leaf("epoch")], align=">")]
        for stage, names in self.columns.items():
            leaves = [tt.leaf(name, ".4f") for name in names]
            if stage == "train":
                leaves.insert(0, tt.leaf("epoch"))
                groups = []
            groups.append(tt.group(stage, leaves, align=">"))
        return groups

    def process_history(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        """The last finite value of each shown metric."""
        found: dict[str, Any] = {stage: {} for stage in self.columns}
        for entry in history:
            for stage, names in self.columns.items():
                values = entry.get(stage) or {}
                for name in names:
                    value = values.get(name)
                    if isinstance(value, int | float) and math.isfinite(value):
                        found[stage][name] = value
        found.setdefault("train", {})["epoch"] = len(history)
        return found


class SupervisedExplorer(BaseExplorer):
    """Classification: loss, balanced accuracy with its chance level, speed."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "balanced_accuracy"),
        "test": ("balanced_accuracy", "chance_balanced_accuracy"),
        "perf": ("items_per_s", "data_wait_share"),
    }

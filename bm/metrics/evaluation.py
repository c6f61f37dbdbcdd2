"""Evaluation: the result of a solver on one split, from which tables are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Evaluation:
    """Result of evaluating one split.

    Attributes:
        split: train, valid or test.
        metrics: name -> value over the whole split.
        chance: name -> value of a model that knows nothing of the signal, where there is one.
        items: one row per test item (segment, recording, subject, label, prediction, ...).
        n_items: number of items evaluated.
        simulated: true when the data were made from equations; printed by every table and figure.
        extra: plain values beside the metrics: `table` names the metrics that tables show, the
            main one first; `references`, `intervals` and `item_scores` are shown where they are.
    """

    split: str
    metrics: dict[str, float]
    chance: dict[str, float] = field(default_factory=dict)
    items: pd.DataFrame | None = None
    n_items: int = 0
    simulated: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def with_chance(self) -> dict[str, float]:
        """Return metrics and, as `chance_<name>`, their chance levels: one group of the history."""
        return {**self.metrics, **{f"chance_{name}": v for name, v in self.chance.items()}}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values without the items, ready for JSON."""
        return {
            "split": self.split,
            "metrics": self.metrics,
            "chance": self.chance,
            "n_items": self.n_items,
            "simulated": self.simulated,
            "extra": self.extra,
        }

"""Explorers: the columns of a grid's table. A metric that is missing is an empty cell.

`BaseExplorer` fits every family: its columns are the metrics that the evaluations of the grid's
experiments name. A family that wants others before its first evaluation says `columns` in a class
of its own, beside its grids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

import treetable as tt
from dora import Explorer

from bm.xp.files import DamagedFileError, read_history, read_or_warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from dora.explore import Launcher
    from dora.shep import Sheep

Epoch = Mapping[str, Mapping[str, Any] | None]  # stage -> metrics
Columns = Mapping[str, tuple[str, ...]]  # stage -> names of metrics

#: Before an evaluation names its metrics there are the losses and the speed, in every family.
EMPTY: Columns = {
    "train": ("loss",),
    "valid": ("loss",),
    "test": (),
    "perf": ("items_per_s", "data_wait"),
}
#: Short titles: a long name would be cut to the width of its numbers.
TITLES = {
    "perplexity": "perpl.",
    "balanced_accuracy": "bal.acc",
    "items_per_s": "items/s",
    "data_wait": "wait",
    "samples_per_s": "samples/s",
}
FORMATS = {"items_per_s": ".0f", "data_wait": ".0%", "samples_per_s": ".2f"}


def is_finite(value: object) -> TypeGuard[float]:
    """Return whether a value of a history is a number that a table can show."""
    return isinstance(value, int | float) and math.isfinite(value)


class BaseExplorer(Explorer):
    """Table with groups of stages.

    Attributes:
        columns: stage -> names of the metrics shown; None = those that the evaluations of the
            experiments name in `extra["table"]`, with the chance of the main one. `best` of valid
            is the lowest loss so far.
        titles: name of a metric -> short title, beside those that all share.
    """

    columns: ClassVar[Columns | None] = None
    titles: ClassVar[Mapping[str, str]] = {}

    def __init__(self, explore: Callable[[Launcher], None]) -> None:
        super().__init__(explore)
        columns = EMPTY if self.columns is None else self.columns
        # Dictionaries keep the order in which names come, each once.
        self.shown = {s: dict.fromkeys(columns.get(s, ())) for s in ("train", *columns)}

    def get_grid_metrics(self) -> list[Any]:
        """Return a group per stage and a leaf per metric; the train group begins with the epoch."""
        groups = []
        for stage, names in self.shown.items():
            leaves = [tt.leaf("epoch")] if stage == "train" else []
            leaves += [
                tt.leaf(name, FORMATS.get(name, ".4f"), display=self._title(name)) for name in names
            ]
            if leaves:
                groups.append(tt.group(stage, leaves, align=">", shorten=False))
        return groups

    def process_sheep(self, sheep: Sheep, history: Sequence[Epoch]) -> dict[str, Any]:
        """Return the values of an experiment, whose evaluation may name further columns.

        Dora asks for the columns after it has asked for the values of all experiments.
        """
        if self.columns is None:
            evaluation = read_or_warn(sheep.xp.folder / "evaluation.json")
            if evaluation is not None:
                self.add_columns(evaluation.get("extra", {}).get("table", ()), history)
        values = self.process_history(history)
        try:
            history or read_history(sheep.xp.folder / sheep.xp.dora.history)
        except DamagedFileError:
            values.setdefault("train", {})["epoch"] = "damaged"
        return values

    def add_columns(self, names: Sequence[str], history: Sequence[Epoch]) -> None:
        """Show the metrics that an evaluation names, in the stages whose epochs hold them.

        Args:
            names: the main metric first; its chance level stands beside it.
            history: of the experiment.
        """
        for stage in ("valid", "test"):
            present = {name for epoch in history for name in epoch.get(stage) or {}}
            chances = [f"chance_{name}" for name in names[:1]] if stage == "test" else []
            for name in (*names[:1], *chances, *names[1:]):
                if name in present:
                    self.shown[stage][name] = None

    def process_history(self, history: Sequence[Epoch]) -> dict[str, Any]:
        """Return the last finite value of every metric, by stage."""
        values: dict[str, dict[str, float]] = {stage: {} for stage in self.shown}
        for epoch in history:
            for stage, last in values.items():
                metrics = epoch.get(stage) or {}
                last |= {name: value for name, value in metrics.items() if is_finite(value)}
        values["train"]["epoch"] = len(history)
        losses = [(epoch.get("valid") or {}).get("loss") for epoch in history]
        finite = [value for value in losses if is_finite(value)]
        if finite and "valid" in values:
            values["valid"]["best"] = min(finite)
        return values

    def _title(self, name: str) -> str:
        if name.startswith("chance_"):
            return "chance"
        return {**TITLES, **self.titles}.get(name, name)


class SupervisedExplorer(BaseExplorer):
    """Classification: loss, balanced accuracy with its chance level, speed."""

    columns = {
        "train": ("loss",),
        "valid": ("loss", "balanced_accuracy"),
        "test": ("balanced_accuracy", "chance_balanced_accuracy"),
        "perf": ("items_per_s", "data_wait"),
    }

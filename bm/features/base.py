"""Feature: what was heard, read or said, as rows of numbers on a grid of time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ..data.window_features import FeatureKind

if TYPE_CHECKING:
    import pandas as pd

#: How the rows of an event lie in time.
Layout = Literal["held", "sampled", "stretched"]


class Feature(ABC):
    """A representation of the stimulus, computed event by event.

    Subclasses take their options as keyword arguments; `options` says them again, because they
    decide the cached values.

    Attributes:
        name: registered name.
        kind: kind of the events that it is made from.
        dimension: F, numbers per sample.
        cardinality: classes of a categorical feature, whose dimension is 1; 0 for values.
        default: value where there is no event.
        normalizable: standardised before training.
        rate_hz: its own rate; None = that of the signal.
        layout: `held` = one row per event that lasts as long as it; `sampled` = one row per sample
            from the event's start on, the last one repeated; `stretched` = rows spread evenly over
            the event.
        dtype: of its numbers.
        columns: of the events that its rows depend on, beside start_s and duration_s.
        version: raised when the same options give other numbers.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    layout: ClassVar[Layout] = "held"
    version: ClassVar[int] = 1
    dtype: ClassVar[torch.dtype] = torch.float32
    columns: ClassVar[tuple[str, ...]] = ()
    dimension: int = 1
    cardinality: int = 0
    default: float = 0.0
    normalizable: bool = False
    rate_hz: float | None = None

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}

    @property
    def description(self) -> FeatureKind:
        """Return name, dimension, scaling and classes."""
        return FeatureKind(self.name, self.dimension, self.normalizable, self.cardinality)

    @abstractmethod
    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Compute rows (n, F) of each event, in the order of the table; n = 1 when held.

        Args:
            events: of its kind only; start_s, duration_s, and the kind's own columns.
            rate_hz: of the grid.
        """

    def needs(self, events: pd.DataFrame) -> list[tuple]:
        """Return what the rows depend on, as plain values; equal values share cached rows."""
        # Only the columns that the feature reads: an unrelated one moves no key.
        names = sorted(set(events) & set(self.columns))
        return list(events[["start_s", "duration_s", *names]].itertuples(index=False, name=None))

    def finish(self, values: Tensor, rate_hz: float) -> Tensor:
        """Return windows (B, F, T) as they are served, once all events are written."""
        return values


class HeldFeature(Feature):
    """A feature with one number per event."""

    @abstractmethod
    def value(self, event: dict[str, Any]) -> float:
        """Return the number of an event."""

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return one number per event."""
        # Hashes have 63 bits, which float32 would round.
        kind = np.int64 if self.dtype is torch.int64 else np.float32
        return [np.array([[self.value(event)]], kind) for event in events.to_dict("records")]

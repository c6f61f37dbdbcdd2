"""FeaturePart: where a feature stands among the channels of targets and of estimates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Described(Protocol):
    """A feature as data describe it."""

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def dimension(self) -> int:
        """Its channels in the data."""

    @property
    def cardinality(self) -> int:
        """Its classes; 0 when it has values."""


@dataclass(frozen=True)
class FeaturePart:
    """One feature of several.

    Attributes:
        name: of the feature.
        target: its channels in the data: one of class indices when it is categorical.
        estimate: its channels in a network's output: one score per class when it is categorical.
        categorical: classes instead of values.
    """

    name: str
    target: slice
    estimate: slice
    categorical: bool = False


def feature_parts(features: Iterable[Described]) -> tuple[FeaturePart, ...]:
    """Parts of features in the order of their channels.

    Args:
        features: their names and sizes.
    """
    parts, target, estimate = [], 0, 0
    for feature in features:
        size, outputs = feature.dimension, feature.cardinality or feature.dimension
        parts.append(
            FeaturePart(
                feature.name,
                slice(target, target + size),
                slice(estimate, estimate + outputs),
                bool(feature.cardinality),
            )
        )
        target, estimate = target + size, estimate + outputs
    return tuple(parts)

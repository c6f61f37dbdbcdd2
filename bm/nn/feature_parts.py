"""FeaturePart: where a feature stands among the channels of targets and of estimates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class FeatureSize(Protocol):
    """Name and size of a feature of the data."""

    @property
    def name(self) -> str:
        """Name of the feature."""

    @property
    def dimension(self) -> int:
        """Number of its channels in the data."""

    @property
    def cardinality(self) -> int:
        """Number of its classes; 0 when it has values."""


@dataclass(frozen=True)
class FeaturePart:
    """Channels of one feature among those of several.

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


def feature_parts(features: Iterable[FeatureSize]) -> tuple[FeaturePart, ...]:
    """Return the parts of features in the order of their channels.

    Args:
        features: names and sizes.
    """
    # counted apart: a categorical feature has one channel of indices in the data, but a score for
    # each class in the estimate. The original slices one with the layout of the other.
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

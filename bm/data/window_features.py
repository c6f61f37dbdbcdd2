"""Features of the windows of a data set, as batches hold them beside the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor


# In this room, below `features`: data sets and solvers need only how a feature is scaled.
@dataclass(frozen=True)
class FeatureKind:
    """How one feature is scaled.

    Attributes:
        name: of the feature.
        dimension: its rows in the feature tensor.
        normalizable: standardised; others keep their values.
        cardinality: number of classes of a categorical feature, 0 for others.
    """

    name: str
    dimension: int
    normalizable: bool = False
    cardinality: int = 0


class WindowFeatures(Protocol):
    """Features of the recordings of a data set; room `features` computes them."""

    @property
    def kinds(self) -> tuple[FeatureKind, ...]:
        """Name, dimension, cardinality and scaling of each feature."""

    @property
    def identity(self) -> str:
        """Text that changes whenever any value would; part of the data set's hash."""

    def gather(
        self, recordings: np.ndarray, starts: np.ndarray, length: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return features of windows, name -> (B, F, T'), and their mask (B, T).

        Args:
            recordings: (B,) number of the recording of each window.
            starts: (B,) its first sample of the signal.
            length: T, samples of every window.
        """

"""Common spatial patterns: filters whose output has much power in one class, little in others.

Source: Blankertz et al. 2008, IEEE Signal Processing Magazine 25, 41; of several classes each
against the rest (Dornhege et al. 2004).
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from ...metrics.covariance import covariances

SMALLEST = 1e-20  # power under which a logarithm would be noise


def normalised(matrices: np.ndarray) -> np.ndarray:
    """Return covariances (N, C, C) of trace 1: loud windows weigh as much as quiet ones."""
    return np.asarray(matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None])


def pair_filters(inside: np.ndarray, outside: np.ndarray, count: int) -> np.ndarray:
    """Return the filters (count, C) with the largest and the smallest share of power `inside`.

    Args:
        inside, outside: (C, C) mean covariances of a class and of the rest.
        count: filters, half of them from each end, the larger half from the class.
    """
    # Ascending shares w' inside w of the whole w' (inside + outside) w = 1.
    vectors = linalg.eigh(inside, inside + outside)[1]
    low = count // 2
    return np.concatenate([vectors[:, ::-1][:, : count - low], vectors[:, :low]], 1).T


class CommonSpatialPatterns:
    """Log power of the windows after spatial filters that tell classes apart.

    Args:
        components: filters of each class, or of both together where there are two.
    """

    def __init__(self, components: int = 6) -> None:
        self.components = components

    def fit(self, windows: np.ndarray, labels: np.ndarray) -> CommonSpatialPatterns:
        """Learn the filters.

        Args:
            windows: (N, C, T), band-passed.
            labels: (N,) class numbers, two or more.
        """
        matrices = normalised(covariances(windows))
        count = min(self.components, windows.shape[1])
        classes = np.unique(labels)
        # of two classes the rest is the other: its filters would be the same ones
        fitted = classes[:1] if len(classes) == 2 else classes
        self.filters = np.concatenate(
            [
                pair_filters(matrices[labels == k].mean(0), matrices[labels != k].mean(0), count)
                for k in fitted
            ]
        )
        return self

    def transform(self, windows: np.ndarray) -> np.ndarray:
        """Return the log variance of the filtered windows: (N, C, T) -> (N, filters)."""
        power = np.einsum("fc,ncd,fd->nf", self.filters, covariances(windows), self.filters)
        return np.asarray(np.log(np.maximum(power, SMALLEST)))

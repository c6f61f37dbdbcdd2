"""Tangent space of covariance matrices at their Riemannian mean.

Source: Barachant et al. 2012, IEEE Transactions on Biomedical Engineering 59, 920.
"""

from __future__ import annotations

import numpy as np

from ...metrics.covariance import covariances, log_euclidean_mean, matrix_logs, tangent_features

STEPS, TOLERANCE = 50, 1e-9  # of the mean: some ten steps reach it


def powers(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Return a power of a symmetric positive matrix (C, C)."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values**exponent) @ vectors.T)


def whitened(matrices: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return matrices (N, C, C) as seen from `centre`, which becomes the identity."""
    root = powers(centre, -0.5)
    centred = root @ matrices @ root
    return np.asarray((centred + centred.swapaxes(1, 2)) / 2)


def riemann_mean(matrices: np.ndarray) -> np.ndarray:
    """Return the matrix with the smallest sum of squared affine invariant distances (Moakher 2005).

    Args:
        matrices: (N, C, C) symmetric, positive.
    """
    centre = log_euclidean_mean(matrix_logs(matrices))
    for _ in range(STEPS):
        step = matrix_logs(whitened(matrices, centre)).mean(0)
        root = powers(centre, 0.5)
        values, vectors = np.linalg.eigh(step)
        centre = root @ (vectors * np.exp(values)) @ vectors.T @ root
        if np.linalg.norm(step) < TOLERANCE * len(centre):
            break
    return np.asarray((centre + centre.T) / 2)


class TangentSpace:
    """Covariances as vectors in the tangent space at the mean of the training windows."""

    def fit(self, windows: np.ndarray) -> TangentSpace:
        """Learn the mean of the covariances of windows (N, C, T)."""
        self.centre = riemann_mean(covariances(windows))
        return self

    def transform(self, windows: np.ndarray) -> np.ndarray:
        """Return vectors (N, C (C + 1) / 2) whose Euclidean norm is the distance to the mean."""
        return tangent_features(matrix_logs(whitened(covariances(windows), self.centre)))

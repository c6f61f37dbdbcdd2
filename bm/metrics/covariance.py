"""Spatial covariance of EEG samples and Riemannian distances ."""

from __future__ import annotations

import numpy as np
from scipy import linalg

SHRINKAGE = 1e-3  # of the mean variance: average references leave one eigenvalue at 0


def covariances(x: np.ndarray) -> np.ndarray:
    """Return sample covariances plus 1e-3 of their mean variance on the diagonal.

    Args:
        x: (N, C, T).

    Returns:
        (N, C, C), positive definite also where channels are copies of each other.
    """
    centred = np.asarray(x, float) - x.mean(-1, keepdims=True)
    sample = centred @ centred.swapaxes(1, 2) / (x.shape[-1] - 1)
    mean_variance = np.trace(sample, axis1=1, axis2=2) / x.shape[1]
    return np.asarray(sample + SHRINKAGE * mean_variance[:, None, None] * np.eye(x.shape[1]))


def matrix_logs(matrices: np.ndarray) -> np.ndarray:
    """Return the logarithms of symmetric positive matrices (N, C, C)."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * np.log(values)[:, None]) @ vectors.swapaxes(1, 2))


def log_euclidean_mean(logs: np.ndarray) -> np.ndarray:
    """Return the exponential of the mean of logarithms (N, C, C): (C, C).

    Source: Arsigny et al. 2006.
    """
    values, vectors = np.linalg.eigh(logs.mean(0))
    return np.asarray((vectors * np.exp(values)) @ vectors.T)


def riemann_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the affine invariant distance between two (C, C) matrices (Pennec et al. 2006)."""
    # Generalised eigenvalues: those of inv(first) @ second, without an inverse.
    values = linalg.eigvalsh(second, first)
    return float(np.sqrt(np.square(np.log(values)).sum()))


def log_euclidean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Frobenius norm of the difference of the logarithms of two (C, C) matrices."""
    logs = matrix_logs(np.stack([first, second]))
    return float(np.linalg.norm(logs[0] - logs[1]))


def correlations(matrices: np.ndarray) -> np.ndarray:
    """Return the correlations that belong to covariances (N, C, C)."""
    sd = np.sqrt(np.einsum("ncc->nc", matrices))
    return np.asarray(matrices / (sd[:, :, None] * sd[:, None]))


def correlation_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean |difference| above the diagonal of the mean correlations of two sets.

    Args:
        first, second: (N, C, C) and (M, C, C).
    """
    upper = np.triu_indices(first.shape[1], 1)
    return float(np.abs((first.mean(0) - second.mean(0))[upper]).mean())


def tangent_features(logs: np.ndarray) -> np.ndarray:
    """Return the upper triangles (N, C (C + 1) / 2) of logarithms (N, C, C).

    Off-diagonal entries times sqrt(2): Euclidean distances are then Frobenius norms.
    """
    rows, columns = np.triu_indices(logs.shape[1])
    return np.asarray(logs[:, rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2)))

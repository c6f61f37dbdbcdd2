"""Spatial covariance of EEG samples and Riemannian distances (spec eegdiff 5.2, item 7)."""

from __future__ import annotations

import numpy as np
from scipy import linalg

SHRINKAGE = 1e-3


def covariances(x: np.ndarray) -> np.ndarray:
    """(N, C, T) -> (N, C, C): sample covariance plus 1e-3 of its mean variance on the diagonal."""
    centred = np.asarray(x, float) - x.mean(-1, keepdims=True)
    found = centred @ centred.swapaxes(1, 2) / (x.shape[-1] - 1)
    mean_variance = np.trace(found, axis1=1, axis2=2) / x.shape[1]
    return np.asarray(found + SHRINKAGE * mean_variance[:, None, None] * np.eye(x.shape[1]))


def matrix_logs(matrices: np.ndarray) -> np.ndarray:
    """Logarithms of symmetric positive matrices (N, C, C)."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * np.log(values)[:, None]) @ vectors.swapaxes(1, 2))


def log_euclidean_mean(logs: np.ndarray) -> np.ndarray:
    """exp of the mean of logarithms (Arsigny et al. 2006): (N, C, C) -> (C, C)."""
    values, vectors = np.linalg.eigh(logs.mean(0))
    return np.asarray((vectors * np.exp(values)) @ vectors.T)


def riemann_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Affine invariant distance (Pennec et al. 2006) between two (C, C) matrices."""
    values = linalg.eigvalsh(second, first)
    return float(np.sqrt(np.square(np.log(values)).sum()))


def log_euclidean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frobenius norm of the difference of the logarithms of two (C, C) matrices."""
    logs = matrix_logs(np.stack([first, second]))
    return float(np.linalg.norm(logs[0] - logs[1]))


def correlations(matrices: np.ndarray) -> np.ndarray:
    """Correlations of covariances, (N, C, C)."""
    sd = np.sqrt(np.einsum("ncc->nc", matrices))
    return np.asarray(matrices / (sd[:, :, None] * sd[:, None]))


def correlation_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean |difference| above the diagonal of mean correlations of (N, C, C) and (M, C, C)."""
    upper = np.triu_indices(first.shape[1], 1)
    return float(np.abs((first.mean(0) - second.mean(0))[upper]).mean())


def tangent_features(logs: np.ndarray) -> np.ndarray:
    """Logarithms (N, C, C) -> (N, C (C + 1) / 2), off-diagonal entries times sqrt(2)."""
    rows, columns = np.triu_indices(logs.shape[1])
    return np.asarray(logs[:, rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2)))

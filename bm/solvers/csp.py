"""Common spatial patterns: filters whose power tells one class from the others."""

from __future__ import annotations

import numpy as np

#: Share of the mean eigenvalue that is added to the diagonal: covariances of few trials are
#: nearly singular.
RIDGE = 0.001


def csp_filters(windows: np.ndarray, labels: np.ndarray, per_class: int) -> np.ndarray:
    """Return spatial filters (classes * per_class, C) of windows (N, C, T), class against rest.

    The generalised eigenvectors of a class's mean covariance and that of all, with the largest
    eigenvalues (Blankertz et al., IEEE Signal Processing Magazine 25, 41, 2008).
    """
    from scipy.linalg import eigh

    centred = windows - windows.mean(-1, keepdims=True)
    covariances = np.einsum("nct,ndt->ncd", centred, centred)
    traces = np.trace(covariances, axis1=1, axis2=2)
    covariances /= np.maximum(traces, np.finfo(float).tiny)[:, None, None]
    channels = windows.shape[1]
    ridge = RIDGE / channels * np.eye(channels)
    whole = covariances.mean(0) + ridge
    parts = []
    for label in np.unique(labels):
        _, vectors = eigh(covariances[labels == label].mean(0) + ridge, whole)
        parts.append(vectors[:, ::-1][:, :per_class].T)  # eigenvalues come in rising order
    return np.concatenate(parts)


def log_powers(windows: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Return the log power behind each filter: (N, C, T), (F, C) -> (N, F)."""
    filtered = np.einsum("fc,nct->nft", filters, windows)
    return np.log(filtered.var(-1) + 1e-12)

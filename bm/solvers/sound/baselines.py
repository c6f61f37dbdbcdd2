"""What needs no network: principal components of log-mel spectra."""

from __future__ import annotations

import numpy as np


def mel_components(train: np.ndarray, maps: np.ndarray, count: int) -> np.ndarray:
    """Return log-mel (N, frames, bands) rebuilt from principal components of single frames.

    With as many components as bands that is the frame itself.

    Args:
        train: (M, frames, bands) that the components are of.
        maps: to rebuild.
        count: components of a frame.
    """
    flat = train.reshape(-1, train.shape[-1]).astype(np.float64)
    mean = flat.mean(0)
    count = min(count, flat.shape[1])
    _, vectors = np.linalg.eigh(np.cov(flat - mean, rowvar=False))
    basis = vectors[:, -count:]
    return np.asarray(((maps - mean) @ basis) @ basis.T + mean, dtype=np.float32)

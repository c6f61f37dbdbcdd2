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
    rebuilt = _rebuilt(flat, maps.reshape(-1, maps.shape[-1]), count)
    return rebuilt.reshape(maps.shape).astype(np.float32)


def clip_components(train: np.ndarray, maps: np.ndarray, count: int) -> np.ndarray:
    """Return log-mel (N, frames, bands) rebuilt from `count` principal components of whole clips.

    There are at most as many as training clips but one.
    """
    flat = train.reshape(len(train), -1).astype(np.float64)
    rebuilt = _rebuilt(flat, maps.reshape(len(maps), -1), count)
    return rebuilt.reshape(maps.shape).astype(np.float32)


def _rebuilt(train: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Return rows (N, F) rebuilt from the leading components of training rows (M, F)."""
    mean = train.mean(0)
    # of the smaller side: a clip has thousands of numbers, and there are hundreds of clips
    if len(train) < train.shape[1]:
        directions = np.linalg.svd(train - mean, full_matrices=False)[2]
    else:
        directions = np.linalg.eigh(np.cov(train - mean, rowvar=False))[1].T[::-1]
    basis = directions[:count]
    return np.asarray((rows - mean) @ basis.T @ basis + mean)

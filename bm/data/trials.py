"""Trials cut before they are resampled, as Du-IN does in its sEEG word task (Zheng et al. 2024)."""

from __future__ import annotations

import numpy as np
import scipy
import torch
from torch import Tensor


def resample_trials(trials: np.ndarray, old_hz: float, new_hz: float) -> np.ndarray:
    """Resample trials along time by Fourier transform, without window or padding.

    (N, T, C) -> (N, T', C).

    T' = round(T * new_hz / old_hz). The whole stored trial is taken, so its ends wrap.
    """
    if old_hz == new_hz:
        return trials
    return np.asarray(
        scipy.signal.resample(trials, round(trials.shape[1] * new_hz / old_hz), axis=1)
    )


def crop_trials(
    trials: np.ndarray, rate_hz: float, begins_s: float, window_s: tuple[float, float]
) -> np.ndarray:
    """Cut the samples of `window_s` out of trials (N, T, C) that begin at `begins_s`.

    Both are in seconds of one clock.

    Raises:
        ValueError: the window reaches outside the trials.
    """
    first = round((window_s[0] - begins_s) * rate_hz)
    length = round((window_s[1] - window_s[0]) * rate_hz)
    if first < 0 or first + length > trials.shape[1]:
        raise ValueError(f"window {window_s} s reaches outside trials of {trials.shape[1]} samples")
    return trials[:, first : first + length]


def standardise_trials(
    trials: np.ndarray, train: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the z-score per channel over trials and time.

    Args:
        trials: (N, T, C).
        train: (n,) rows that mean and sd come from; None = all, as published (a small leak).

    Returns:
        scaled trials, mean (C,) and population sd (C,); a channel without variance becomes zero.
    """
    base = trials if train is None else trials[train]
    # In float64: a sum over all trials loses digits in float32.
    mean, sd = base.mean((0, 1), dtype=float), base.std((0, 1), dtype=float)
    scaled = (trials - mean) / np.where(sd > 0, sd, 1.0)
    return scaled.astype(trials.dtype), mean, sd


def shift_in_time(signal: Tensor, steps: Tensor) -> Tensor:
    """Delay each item of (B, C, T) by its own number of samples, with zeros where nothing is.

    Args:
        signal: (B, C, T).
        steps: (B,) int; negative advances. A shift of 0 leaves an item as it is (the reference
            makes it all zeros, a defect).
    """
    length = signal.shape[-1]
    source = torch.arange(length, device=signal.device) - steps[:, None]
    inside = (source >= 0) & (source < length)
    index = source.clamp(0, length - 1)[:, None].expand(signal.shape)
    return signal.gather(-1, index) * inside[:, None]

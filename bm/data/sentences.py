"""Sentences and trials as Brain-Diffusion prepares them: normalised, padded, cut into windows."""

from __future__ import annotations

import numpy as np

WORDS, CHANNELS = 56, 105  # longest sentence in tokens; electrodes kept of ZuCo's net


def normalised_sentence(wave: np.ndarray, samples: int) -> np.ndarray:
    """(T, C) -> (C, samples): one mean and one unbiased sd of the whole matrix, cut or zeros added.

    Source: spec eegdiff 2.2, sentence wave.
    """
    scaled = (wave - wave.mean()) / wave.std(ddof=1)
    found = np.zeros((wave.shape[1], samples), wave.dtype)
    kept = min(samples, len(wave))
    found[:, :kept] = scaled[:kept].T
    return found


def trial_windows(trials: np.ndarray, window: int = 224, step: int = 75) -> np.ndarray:
    """(N, C, T) -> (N, windows, window, C), starts 0, step, ... while start + window < T."""
    starts = range(0, trials.shape[-1] - window, step)
    return np.stack([trials[..., s : s + window].swapaxes(1, 2) for s in starts], 1)


def word_matrix(powers: np.ndarray, words: int = WORDS) -> np.ndarray:
    """Band powers of words (W, bands, C) -> (words, bands * C) float32, zeros after the last.

    Band-major, each word z-scored over its values with the unbiased sd; words beyond are cut.
    """
    flat = powers[:words].reshape(min(words, len(powers)), -1)
    flat = (flat - flat.mean(1, keepdims=True)) / flat.std(1, ddof=1, keepdims=True)
    found = np.zeros((words, flat.shape[1]), np.float32)
    found[: len(flat)] = flat
    return found


def word_image(matrix: np.ndarray, first: int = 0, width: int = 64, words: int = 32) -> np.ndarray:
    """Columns first..first+width of the first words, (1, words, width or what is left)."""
    return matrix[None, :words, first : first + width]


def band_images(matrix: np.ndarray, bands: int = 8, as_published: bool = False) -> np.ndarray:
    """(words, bands * C) -> (bands, C, words).

    Args:
        as_published: the original's order of axes, which mixes bands and channels.
    """
    channels = matrix.shape[1] // bands
    if as_published:
        return matrix.reshape(len(matrix), channels, bands).transpose(2, 1, 0)
    return matrix.reshape(len(matrix), bands, channels).transpose(1, 2, 0)

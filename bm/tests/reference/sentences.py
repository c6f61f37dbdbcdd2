"""Sentences as Brain-Diffusion prepares them for its ZuCo models: normalised, padded, mapped.

ZuCo gives 105 electrodes and, for each word, band powers; sentences have up to 56 tokens.
"""

from __future__ import annotations

import numpy as np

WORDS = 56  # longest sentence in tokens


def normalised_sentence(wave: np.ndarray, samples: int) -> np.ndarray:
    """Return (C, samples) of a wave (T, C), cut or with zeros at the end.

    One mean and one unbiased standard deviation of the whole matrix scale it.
    """
    scaled = (wave - wave.mean()) / wave.std(ddof=1)
    padded = np.zeros((wave.shape[1], samples), wave.dtype)
    length = min(samples, len(wave))
    padded[:, :length] = scaled[:length].T
    return padded


def word_matrix(powers: np.ndarray, words: int = WORDS) -> np.ndarray:
    """Return (words, bands * C) float32 of band powers (W, bands, C), zeros after the last word.

    Band-major, each word z-scored over its values with the unbiased sd; words beyond are cut.
    """
    flat = powers[:words].reshape(min(words, len(powers)), -1)
    flat = (flat - flat.mean(1, keepdims=True)) / flat.std(1, ddof=1, keepdims=True)
    matrix = np.zeros((words, flat.shape[1]), np.float32)
    matrix[: len(flat)] = flat
    return matrix


def word_image(matrix: np.ndarray, first: int = 0, width: int = 64, words: int = 32) -> np.ndarray:
    """Return columns first..first+width of the first words, (1, words, width or what is left)."""
    return matrix[None, :words, first : first + width]


def band_images(matrix: np.ndarray, bands: int = 8, as_published: bool = False) -> np.ndarray:
    """Return (bands, C, words) of a matrix (words, bands * C).

    Args:
        as_published: the original's order of axes, which mixes bands and channels.
    """
    channels = matrix.shape[1] // bands
    if as_published:
        return matrix.reshape(len(matrix), channels, bands).transpose(2, 1, 0)
    return matrix.reshape(len(matrix), bands, channels).transpose(1, 2, 0)

"""Spoken words of mode `seeg` as sequences of gestures (simulated.md section 7)."""

from __future__ import annotations

import functools

import numpy as np

from .streams import Place

GESTURES, PER_WORD = 10, 4
STEP_S, LENGTH_S = 0.18, 0.22  # from one gesture to the next; of its course
WORD_S = (PER_WORD - 1) * STEP_S + LENGTH_S
LEXICON = 200  # words at least, of which the task uses the first
LEAST_DIFFERENCE = 2  # places in which any two words differ


@functools.lru_cache(maxsize=8)
def lexicon(seed: int, n_words: int) -> np.ndarray:
    """Gestures of each word: (max(200, n_words), 4), the same first words for any number."""
    rng = Place(seed, "seeg").stream("study")
    found = np.empty((0, PER_WORD), dtype=int)
    while len(found) < max(LEXICON, n_words):
        word = rng.integers(GESTURES, size=PER_WORD)
        repeats = bool((word[1:] == word[:-1]).any())
        if not repeats and (found != word).sum(1).min(initial=PER_WORD) >= LEAST_DIFFERENCE:
            found = np.concatenate([found, word[None]])
    return found


def name_of(word: int) -> str:
    """`word-00`, `word-01`, ..."""
    return f"word-{word:02d}"


def hann_course(start_s: float, stop_s: float, time_s: np.ndarray) -> np.ndarray:
    """A Hann window from `start_s` to `stop_s`, zero outside."""
    share = (time_s - start_s) / (stop_s - start_s)
    return np.where((share > 0) & (share < 1), 0.5 - 0.5 * np.cos(2 * np.pi * share), 0.0)


def gesture_courses(time_s: np.ndarray) -> np.ndarray:
    """Courses of the four gestures of a word that begins at 0: (4, T)."""
    starts = STEP_S * np.arange(PER_WORD)
    return np.stack([hann_course(start, start + LENGTH_S, time_s) for start in starts])

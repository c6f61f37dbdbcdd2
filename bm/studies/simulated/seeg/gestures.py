"""Words of mode `seeg` as sequences of articulatory gestures."""

from __future__ import annotations

import functools

import numpy as np

from ..random_streams import Place

GESTURES, PER_WORD = 10, 4
STEP_S, LENGTH_S = 0.18, 0.22  # from one gesture to the next; of its course
WORD_S = (PER_WORD - 1) * STEP_S + LENGTH_S
LEXICON = 200  # words at least; the task uses the first, task-free speech all
# Places in which any two words differ: with one, a single gesture would decide between them.
LEAST_DIFFERENCE = 2


@functools.lru_cache(maxsize=8)
def lexicon(seed: int, n_words: int) -> np.ndarray:
    """Draw the gestures of each word: (max(200, n_words), 4), equal first words for any number.

    No gesture occurs twice in a row.
    """
    rng = Place(seed, "seeg").stream("study")
    words = np.empty((0, PER_WORD), dtype=int)
    while len(words) < max(LEXICON, n_words):
        word = rng.integers(GESTURES, size=PER_WORD)
        repeats = bool((word[1:] == word[:-1]).any())
        if not repeats and (words != word).sum(1).min(initial=PER_WORD) >= LEAST_DIFFERENCE:
            words = np.concatenate([words, word[None]])
    return words


def name_of(word: int) -> str:
    """Return the name of a word: `word-00`, `word-01`, ..."""
    return f"word-{word:02d}"


def hann_course(start_s: float, stop_s: float, time_s: np.ndarray) -> np.ndarray:
    """Return a Hann window from `start_s` to `stop_s`, zero outside."""
    share = (time_s - start_s) / (stop_s - start_s)
    return np.where((share > 0) & (share < 1), 0.5 - 0.5 * np.cos(2 * np.pi * share), 0.0)


def gesture_courses(time_s: np.ndarray) -> np.ndarray:
    """Return the courses of the four gestures of a word that begins at 0: (4, T)."""
    starts = STEP_S * np.arange(PER_WORD)
    return np.stack([hann_course(start, start + LENGTH_S, time_s) for start in starts])

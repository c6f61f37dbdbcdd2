"""Alignment of two lists by edit distance: words of a text and those that were recognised."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def match(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of equal items that an optimal alignment puts together.

    Insertions, deletions and replacements cost one each (Levenshtein); what they touch is left out.

    Returns:
        two arrays (n,) of places in `one` and in `other`, both increasing.
    """
    numbers: dict[Hashable, int] = {}
    a, b = (np.array([numbers.setdefault(x, len(numbers)) for x in xs]) for xs in (one, other))
    # One byte per cell for the way back: 0 both, 1 leave out of `one`, 2 leave out of `other`.
    ways = np.zeros((len(a) + 1, len(b) + 1), np.uint8)
    ways[0, 1:] = 2
    ways[1:, 0] = 1
    places = np.arange(len(b) + 1)
    row = places.copy()
    for i in range(len(a)):
        both = row[:-1] + (b != a[i])
        best = np.minimum(both, row[1:] + 1)
        # A run of insertions costs its length: the best start of one is a running minimum.
        full = np.minimum.accumulate(np.concatenate([[i + 1], best]) - places) + places
        ways[i + 1, 1:] = np.where(full[1:] == both, 0, np.where(full[1:] == row[1:] + 1, 1, 2))
        row = full
    return _walk(ways, a, b)


def _walk(ways: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, j, pairs = len(a), len(b), []
    while i or j:
        way = ways[i, j]
        if way == 0 and a[i - 1] == b[j - 1]:
            pairs.append((i - 1, j - 1))
        i, j = i - (way != 2), j - (way != 1)
    places = np.array(pairs[::-1], int).reshape(-1, 2)
    return places[:, 0], places[:, 1]

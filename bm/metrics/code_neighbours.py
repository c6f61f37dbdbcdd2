"""What masked prediction of codes must beat: naive Bayes over the visible neighbours of a patch.

It counts pairs of codes in training windows, and knows no network.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

SMOOTHING = 0.1  # added to every count of pairs
CHUNK = 2**22  # scores held at a time: hidden patches times codes


class CodeNeighbours:
    """Naive Bayes over the patches before and after one, and those of the channels beside its own.

    p(c | neighbours) is taken as p(c) times the product of p(neighbour | c) over the neighbours
    that are visible. Channels are beside each other where the recording has them so.

    Args:
        n_codes: K. Pairs are kept sparse: K may be the published 8,192.
    """

    def __init__(self, n_codes: int) -> None:
        self.n_codes = n_codes
        self.frequency = np.zeros(n_codes)
        # (axis, first, second) -> codes of both of a pair, as arrays that are counted at the end
        self._pairs: dict[int, list[np.ndarray]] = {1: [], 2: []}
        self._tables: list[tuple[int, int, sparse.csr_array, np.ndarray]] | None = None

    def add(self, codes: np.ndarray) -> None:
        """Count training windows: codes (B, C, A) of C channels with A patches each."""
        self.frequency += np.bincount(codes.ravel(), minlength=self.n_codes)
        for axis in self._pairs:
            before, after = _shifted(codes, axis)
            self._pairs[axis].append(np.stack([before.ravel(), after.ravel()]))
        self._tables = None

    def guess(self, codes: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Return guesses (B, C, A), each from the neighbours that are in the other half.

        Args:
            codes: (B, C, A).
            hidden: (B, C, A), true = hidden in the first pass, in which the others are visible;
                the others are hidden in the second.
        """
        prior = np.log(self.frequency + SMOOTHING)
        codes_of, sides, visible_of = codes.ravel(), [], []
        for axis, side, table, rest in self._relations():
            neighbour, visible = _beside(codes, hidden, axis, side)
            sides.append((table, rest, neighbour.ravel()))
            visible_of.append(visible.ravel())
        guesses = np.empty(len(codes_of), dtype=np.int64)
        size = max(1, CHUNK // self.n_codes)
        for start in range(0, len(guesses), size):
            part = slice(start, start + size)
            scores = np.tile(prior, (len(guesses[part]), 1))
            for (table, rest, neighbour), visible in zip(sides, visible_of, strict=True):
                rows = np.flatnonzero(visible[part])
                scores[rows] += table[neighbour[part][rows]].toarray() + rest
            guesses[part] = scores.argmax(1)
        return guesses.reshape(codes.shape)

    def _relations(self) -> list[tuple[int, int, sparse.csr_array, np.ndarray]]:
        """Return of each side: axis, step, and log p(neighbour | code) as sparse rows and a rest.

        A row for each code of the neighbour holds log(1 + count / smoothing), which is 0 of pairs
        that never were; the rest (K,) is the same for all neighbours.
        """
        if self._tables is None:
            self._tables = []
            for axis, parts in self._pairs.items():
                before, after = np.concatenate(parts, 1) if parts else np.zeros((2, 0), dtype=int)
                for side, neighbour, code in ((-1, before, after), (1, after, before)):
                    self._tables.append((axis, side, *self._logs(neighbour, code)))
        return self._tables

    def _logs(self, neighbour: np.ndarray, code: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
        shape = (self.n_codes, self.n_codes)
        counts = sparse.coo_array((np.ones(len(code)), (neighbour, code)), shape=shape).tocsr()
        counts.sum_duplicates()
        totals = np.bincount(code, minlength=self.n_codes) + SMOOTHING * self.n_codes
        counts.data = np.log1p(counts.data / SMOOTHING)
        return counts, np.log(SMOOTHING) - np.log(totals)


def _shifted(codes: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return codes that have one after them along an axis, and those after."""
    length = codes.shape[axis]
    return codes.take(range(length - 1), axis), codes.take(range(1, length), axis)


def _beside(
    codes: np.ndarray, hidden: np.ndarray, axis: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbour of each patch on one side (-1 | 1), and whether it tells anything."""
    places = np.arange(codes.shape[axis]) + side
    inside = (places >= 0) & (places < codes.shape[axis])
    places = places.clip(0, codes.shape[axis] - 1)
    neighbour = codes.take(places, axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    # In each pass one half is visible: a neighbour tells when it is of the other half.
    return neighbour, (hidden.take(places, axis) != hidden) & inside.reshape(shape)

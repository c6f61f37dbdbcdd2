"""Track: one feature of one recording, as rows and the row of every sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .base import Feature


@dataclass(frozen=True)
class Piece:
    """An event and its rows in the table."""

    start_s: float
    stop_s: float
    first: int
    count: int


class Track:
    """Rows of a feature and where they are in the recording.

    Args:
        feature: whose values they are.
        table: (n + 1, F), often memory-mapped; row 0 is the default, then the events' in order.
        counts: rows of each event.
        events: those of the feature's kind, in the order of the table: later ones cover earlier.
        rate_hz: of the grid.
    """

    def __init__(
        self,
        feature: Feature,
        table: Tensor,
        counts: Sequence[int],
        events: pd.DataFrame,
        rate_hz: float,
    ) -> None:
        self.feature, self.table, self.rate_hz = feature, table, rate_hz
        starts = events["start_s"].to_numpy(float)
        stops = starts + events["duration_s"].to_numpy(float)
        firsts = 1 + np.cumsum([0, *counts])
        # Both ends are rounded as absolute times, as published: rounding the length instead is one
        # sample off at times.
        self.begins = np.array([round(t * rate_hz) for t in starts], int)
        self.ends = np.array([round(t * rate_hz) for t in stops], int)
        self.pieces = [
            Piece(*values) for values in zip(starts, stops, firsts[:-1], counts, strict=True)
        ]
        self._dense = np.zeros(0, np.int64)
        if feature.layout != "stretched":
            self._dense = self._rows_of_samples(self.begins, self.ends)

    def _rows_of_samples(self, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        rows = np.zeros(max([0, *ends]), np.int64)
        for piece, begin, end in zip(self.pieces, begins, ends, strict=True):
            if end > max(begin, 0) and piece.count:
                steps = np.minimum(np.arange(end - begin), piece.count - 1)
                low = max(0, -begin)  # an event may have begun before the recording
                rows[begin + low : end] = (piece.first + steps)[low:]
        return rows

    def index(self, start: int, length: int) -> np.ndarray:
        """Return the row of each sample from `start` on, 0 where there is no event: (length,)."""
        if self.feature.layout == "stretched":
            return self._stretched(start, length)
        rows = np.zeros(length, np.int64)
        low, high = max(start, 0), min(start + length, len(self._dense))
        if high > low:
            rows[low - start : high - start] = self._dense[low:high]
        return rows

    def _stretched(self, start: int, length: int) -> np.ndarray:
        """Return the rows between the ends of each overlap, spread over it.

        As published for wav2vec 2.0: the rows of the overlap are cut out at their own rate, at
        least one, then interpolated to its samples, each the nearest before it.
        """
        rows = np.zeros(length, np.int64)
        begin_s, end_s = start / self.rate_hz, (start + length) / self.rate_hz
        for number in np.flatnonzero((self.begins < start + length) & (self.ends > start)):
            piece = self.pieces[number]
            low = max(self.begins[number], start) - start
            high = min(self.ends[number], start + length) - start
            pace = piece.count / (piece.stop_s - piece.start_s)
            a = round((max(begin_s, piece.start_s) - piece.start_s) * pace)
            b = round((min(end_s, piece.stop_s) - piece.start_s) * pace)
            a = min(a, piece.count - 1)
            b = max(b, a + 1)
            steps = np.arange(high - low) * (b - a) // (high - low)
            rows[low:high] = piece.first + np.minimum(a + steps, piece.count - 1)
        return rows

    def fill(self, place: Tensor, start: int) -> None:
        """Write the window from sample `start` on into `place` (T', F)."""
        index = torch.from_numpy(self.index(start, len(place)))
        torch.index_select(self.table, 0, index, out=place)

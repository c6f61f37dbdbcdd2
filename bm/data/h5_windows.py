"""Windows over files in LaBraM's HDF5 layout, as its pre-training counts them (spec labram 2.3)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import RecordingError, UserError
from ..readers.labram_h5 import names_of, read_group, read_samples

logger = logging.getLogger(__name__)


def window_starts(
    samples: int, window: int, stride: int, start_share: float = 0.0, end_share: float = 1.0
) -> np.ndarray:
    """First samples of the windows of one recording.

    With n = floor((samples - window) / stride) + 1 windows in all, those from int(n start_share)
    to int(n end_share - 1), inclusive; `int` cuts towards zero. A recording with one window has it
    in every share that is not empty, so shares that split training from validation both hold it:
    `audit` finds that.

    Args:
        samples: length of the recording.
        window, stride: samples.
        start_share, end_share: part of the recording, of 1.

    Returns:
        starts, none when the recording is too short (the original's index breaks there).
    """
    n = (samples - window) // stride + 1
    first, last = int(n * start_share), int(n * end_share - 1)
    return stride * np.arange(first, last + 1) if n > 0 else np.arange(0)


class H5Windows:
    """Windows of recordings in LaBraM's layout, read straight from the files.

    No file stays open between two windows, so it may be handed to other processes. For training
    the store is faster: study `labram_h5`.

    Attributes:
        channels: upper-case names, the same for all files.
        rate_hz: sampling rate.
        table: one row per window (file, recording, start), files in the order given.

    Args:
        files: of one channel set.
        window, stride: samples.
        start_share, end_share: part of each recording, see `window_starts`.

    Raises:
        RecordingError: a file is bad, or has other channels or another rate than the first.
        UserError: no file, or a window or stride below 1, or shares outside 0 to 1.
    """

    def __init__(
        self,
        files: Sequence[Path],
        window: int,
        stride: int,
        start_share: float = 0.0,
        end_share: float = 1.0,
    ) -> None:
        if not files or window < 1 or stride < 1 or not 0 <= start_share <= end_share <= 1:
            raise UserError(
                f"windows of {len(files)} files, window={window}, stride={stride}, part "
                f"{start_share} to {end_share}; use a file, samples from 1 on, and a part in 0 to 1"
            )
        self.window = window
        self._groups = [read_group(Path(p), name) for p in files for name in names_of(Path(p))]
        if not self._groups:
            raise UserError(f"{files[0]}: no recording")
        self.channels, self.rate_hz = self._groups[0].channels, self._groups[0].rate_hz
        starts = []
        for group in self._groups:
            if (group.channels, group.rate_hz) != (self.channels, self.rate_hz):
                reason = f"{group.name}: other channels or another rate than {self._groups[0].name}"
                raise RecordingError(group.path, reason, "put it into another file")
            starts.append(window_starts(group.samples, window, stride, start_share, end_share))
            if group.samples < window:
                logger.warning("%s: %s is shorter than a window; skipped", group.path, group.name)
        counts = [len(one) for one in starts]
        self._numbers = np.repeat(np.arange(len(counts)), counts)
        rows = [(self._groups[i].path.name, self._groups[i].name) for i in self._numbers]
        self.table = pd.DataFrame(rows, columns=["file", "recording"])
        self.table["start"] = np.concatenate(starts).astype(int)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, row: int) -> np.ndarray:
        """(C, window) float64, microvolts; `row` of the table."""
        start = int(self.table["start"].iloc[row])
        return read_samples(self._groups[self._numbers[row]], start, start + self.window)

"""UtteranceRecording: trials that lie in a file each, joined to one recording."""

from __future__ import annotations

from abc import abstractmethod
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mne
import numpy as np

from ...data.stretches import TRIAL_EDGE
from ...errors import RecordingError
from ...readers.event_table import check_events, frame
from ...readers.file_recording import FileRecording
from ...readers.raw import UNITS

if TYPE_CHECKING:
    import pandas as pd

FETCH = "fetch the folder again, or leave the file out"


class UtteranceRecording(FileRecording):
    """All trials of a folder, one behind the other.

    A study gives `describe`; `shape_of`, `values_of` and `names` for files that are no
    arrays of NumPy.
    """

    files: tuple[Path, ...]
    rate_hz: float
    unit: str
    one_length = False  # whether trials of several lengths are a mistake
    columns: tuple[str, ...] = ()  # of `describe`, beside label and word

    @abstractmethod
    def describe(self, path: Path) -> dict[str, Any]:
        """Return label, word and further columns of a trial, told by the name of its file."""

    def shape_of(self, path: Path) -> tuple[int, int]:
        """Return samples and channels of a trial without reading its values.

        Raises:
            RecordingError: a file that is no array (time, channels) of numbers.
        """
        try:
            # A memory map reads the header alone; a pickle, which could run code, is refused.
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            shape, kind = tuple(array.shape), array.dtype.kind
        except Exception as error:
            raise RecordingError(path, f"no array ({type(error).__name__})", FETCH) from None
        if len(shape) != 2 or kind not in "fiu":
            raise RecordingError(path, f"{shape} of kind {kind}, not (time, channels)", FETCH)
        return shape

    def values_of(self, path: Path) -> np.ndarray:
        """Return the signal of a trial (C, T) in the unit of the file."""
        return np.load(path, allow_pickle=False).T

    def names(self, channels: int) -> list[str]:
        """Return the names of channels; numbers where the files tell none."""
        return [str(number + 1) for number in range(channels)]

    def shapes(self) -> list[tuple[int, int]]:
        """Return samples and channels of each trial.

        Raises:
            RecordingError: another number of channels, or of samples where all have the same.
        """
        shapes = [self.shape_of(path) for path in self.files]
        for path, shape in zip(self.files, shapes, strict=True):
            if self.one_length and shape != shapes[0]:
                reason = f"{shape}, but {self.files[0].name} is {shapes[0]}"
                raise RecordingError(path, reason, "cut all trials to one length")
            if shape[1] != shapes[0][1]:
                reason = f"{shape[1]} channels, but {self.files[0].name} has {shapes[0][1]}"
                raise RecordingError(path, reason, FETCH)
        return shapes

    def open(self) -> mne.io.BaseRaw:
        """Return the trials joined; an annotation marks each edge."""
        shapes = self.shapes()
        parts = [self.values_of(path) for path in self.files]
        info = mne.create_info(self.names(shapes[0][1]), self.rate_hz, "seeg")
        values = np.concatenate(parts, axis=1).astype(float) * UNITS[self.unit]
        raw = mne.io.RawArray(values, info, verbose="error")
        # Trials are no neighbours in time: filters and resampling stop at these edges.
        edges = np.array(list(accumulate(samples for samples, _ in shapes[:-1]))) / self.rate_hz
        return raw.set_annotations(mne.Annotations(edges, 0.0, TRIAL_EDGE))

    def events(self) -> pd.DataFrame:
        """Return the trials; of the signal the sizes alone are read."""
        length = sum(samples for samples, _ in self.shapes()) / self.rate_hz
        return check_events(self.read_events(None), length, self.path)

    def read_events(self, raw: mne.io.BaseRaw | None) -> pd.DataFrame:
        """Return trials with label (what is said) and what else their files' names tell."""
        rows, start = [], 0
        for number, (path, (samples, _)) in enumerate(zip(self.files, self.shapes(), strict=True)):
            times = {"start_s": start / self.rate_hz, "duration_s": samples / self.rate_hz}
            trial = {"kind": "trial", **times, "bounded": True, "trial": number}
            rows.append({**trial, **self.describe(path)})
            start += samples
        return frame(rows, ("bounded", "trial", "label", "word", *self.columns))

    def options(self) -> dict[str, Any]:
        """Return how the folder is read."""
        return {"rate_hz": self.rate_hz, "unit": self.unit, "files": [p.name for p in self.files]}

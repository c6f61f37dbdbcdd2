"""Sounds of events: read from their file, made mono, resampled; features of sounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import soundfile
import torch
from torch import Tensor

from ..data.sources import content_of
from ..errors import RecordingError, UserError
from ..nn.sinc import resample_sinc
from .base import Feature, Layout

if TYPE_CHECKING:
    import pandas as pd

#: Rate of the published representations of sound: that of wav2vec 2.0.
SOUND_HZ = 16_000


def read_sound(path: str | Path, offset_s: float, duration_s: float) -> tuple[Tensor, int]:
    """Read a part of a sound file: (channels, n) float32 in [-1, 1], and its rate.

    Raises:
        RecordingError: no such file, no sound file, or nothing in this part.
    """
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            # An offset beyond the end is an empty part, named below, and no error of the library.
            file.seek(min(round(offset_s * rate), file.frames))
            samples = file.read(round(duration_s * rate), dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise RecordingError(path, f"no sound ({error})", "restore the file") from None
    if not len(samples):
        reason = f"no sound from {offset_s:g} s on for {duration_s:g} s"
        raise RecordingError(path, reason, "check offset and duration of the event")
    return torch.from_numpy(samples.T.copy()), rate


def mono(wave: Tensor, rate_hz: int, normalise: bool = True) -> Tensor:
    """Return a sound (channels, n) as one channel at 16 kHz: (m,).

    Args:
        wave: the sound.
        rate_hz: its rate.
        normalise: give it mean 0 and sd 1 before it is resampled.
    """
    wave = wave.mean(0)
    if normalise:
        # The epsilon of the published code; a silence stays a silence.
        wave = (wave - wave.mean()) / (1e-8 + wave.std())
    return resample_sinc(wave, rate_hz, SOUND_HZ)


def nearest(values: Tensor, columns: int) -> Tensor:
    """Interpolate (F, n) to (F, columns), each column the nearest of the values before it."""
    return torch.nn.functional.interpolate(values[None], size=max(1, columns))[0]


class SoundFeature(Feature):
    """A feature of `sound` events; they need filepath, and may have offset (s into the file)."""

    kind = "sound"
    layout: ClassVar[Layout] = "sampled"
    normalizable = True

    @abstractmethod
    def represent(self, wave: Tensor, rate_hz: int) -> Tensor:
        """Return the representation of a sound (channels, n): (F, m) on its own grid."""

    def needs(self, events: pd.DataFrame) -> list[tuple]:
        """Return the content of the files, and which part of them."""
        parts = []
        for path, offset, duration in parts_of(events):
            if not Path(path).is_file():
                raise RecordingError(path, "no such sound file", "fetch the study's audio")
            parts.append((content_of(path), offset, duration))
        return parts

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return one row per sample of the grid, from the event's start on."""
        rows = []
        for path, offset, duration in parts_of(events):
            values = self.represent(*read_sound(path, offset, duration))
            rows.append(self.placed(values, duration, rate_hz).T.contiguous().numpy())
        return rows

    def placed(self, values: Tensor, duration_s: float, rate_hz: float) -> Tensor:
        """Bring values (F, m) to the grid: (F, samples of the event)."""
        return nearest(values, round(duration_s * rate_hz))


def parts_of(sounds: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Return file, offset and duration (s) of each sound.

    Raises:
        UserError: a sound without a file.
    """
    parts = []
    for sound in sounds.to_dict("records"):
        path, offset = sound.get("filepath"), sound.get("offset", 0.0)
        if not isinstance(path, str) or not path:
            raise UserError("features of sound: an event of kind sound has no filepath")
        # Tables that mix kinds of events have NaN where a column does not apply.
        offset = 0.0 if offset is None or np.isnan(offset) else float(offset)
        parts.append((path, offset, float(sound["duration_s"])))
    return parts

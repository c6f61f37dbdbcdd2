"""SoundWave: the sound itself, sample by sample, for models that generate it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import RecordingError, UserError
from ..nn.sinc import resample_sinc
from . import FEATURES
from .sound import SoundFeature, parts_of, read_sound

if TYPE_CHECKING:
    import pandas as pd

SILENT = 1e-4  # a sound without any larger value is silence
FULL = 0.999  # of the largest value that a file can hold
CLIPPED_SHARE = 0.01  # of samples at it: speech that is not cut off reaches it a few times a minute
MISSING_S = 0.1  # by which a file may be shorter than its event
# Width and cut-off of torchaudio's default resampler, which the published front-end uses.
ZEROS, ROLLOFF = 6, 0.99
CHANNELS = ("mean", "first")


def checked_sound(part: tuple[str, float, float], needed_hz: int) -> tuple[Tensor, int]:
    """Read the sound of an event; refuse one that a generator must not learn from.

    Args:
        part: file, offset and duration (s).
        needed_hz: least rate.

    Raises:
        RecordingError: too slow, cut off at full scale, or shorter than its event.
    """
    path, offset, duration = part
    wave, rate = read_sound(path, offset, duration)
    if rate < needed_hz:
        reason = f"sampled at {rate} Hz: nothing is there above {rate / 2:g} Hz"
        raise RecordingError(path, reason, f"fetch it at {needed_hz} Hz or more, or set min_hz")
    length = wave.shape[-1] / rate
    if length < duration - MISSING_S:
        reason = f"the event lasts {duration:g} s, the file has {length:g} s from {offset:g} s on"
        raise RecordingError(path, reason, "pair recording and sound anew")
    share = float((wave.abs() >= FULL).float().mean())
    if share > CLIPPED_SHARE:
        reason = f"cut off: {share:.0%} of its samples are at full scale"
        raise RecordingError(path, reason, "fetch a recording that is not overdriven")
    return wave, rate


@FEATURES.register("SoundWave")
class SoundWave(SoundFeature):
    """One value per sample of the sound, 0 where there is none.

    Args:
        sound_hz: rate of the samples.
        channel: mean of the channels, or the first one (as eeg2speech has it).
        min_hz: least rate of a file; null = `sound_hz`.
    """

    name = "SoundWave"
    dimension = 1
    normalizable = False

    def __init__(
        self, sound_hz: int = 16_000, channel: str = "mean", min_hz: int | None = None
    ) -> None:
        super().__init__()
        if channel not in CHANNELS:
            raise UserError(f"feature SoundWave: channel={channel}; one of {', '.join(CHANNELS)}")
        self.rate_hz, self.min_hz = float(sound_hz), sound_hz if min_hz is None else min_hz
        self.options = {"sound_hz": sound_hz, "channel": channel, "min_hz": self.min_hz}

    def represent(self, wave: Tensor, rate_hz: int) -> Tensor:
        """Return one channel at the feature's rate: (1, m)."""
        one = wave.mean(0) if self.options["channel"] == "mean" else wave[0]
        return resample_sinc(one, rate_hz, int(self.options["sound_hz"]), ZEROS, ROLLOFF)[None]

    def placed(self, values: Tensor, duration_s: float, rate_hz: float) -> Tensor:
        """Return the samples of the event: cut, or silence at the end."""
        count = round(duration_s * rate_hz)
        return torch.nn.functional.pad(values[:, :count], (0, max(0, count - values.shape[1])))

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return one row per sample, of sounds that are as they should be.

        Raises:
            RecordingError: see `checked_sound`; or a file of whose parts none is heard.
        """
        rows, loudest = [], dict[str, float]()
        for part in parts_of(events):
            wave, rate = checked_sound(part, self.min_hz)
            # a part may be the pause before the first sentence: the whole file may not
            loudest[part[0]] = max(loudest.get(part[0], 0.0), float(wave.abs().max()))
            values = self.represent(wave, rate)
            rows.append(self.placed(values, part[2], rate_hz).T.contiguous().numpy())
        for path, peak in loudest.items():
            if peak <= SILENT:
                raise RecordingError(path, f"silent (nothing above {SILENT:g})", "leave it out")
        return rows

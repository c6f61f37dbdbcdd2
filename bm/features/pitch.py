"""Pitch: fundamental frequency of the voice by YIN (de Cheveigne and Kawahara, JASA 111, 2002)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import UserError
from . import FEATURES
from .sound import SOUND_HZ, SoundFeature, mono

FRAME, HOP, THRESHOLD = 256, 64, 0.1  # samples at 16 kHz; largest normalised difference
AT_ONCE = 4096  # frames; all lags of all frames of a story would take 60 GB


def yin(sound: Tensor, min_hz: float, max_hz: float, rate_hz: int = SOUND_HZ) -> Tensor:
    """Compute the fundamental frequency in Hz of each frame of (n,); 0 where there is no voice.

    d(tau) = sum_j (x_j - x_(j+tau))^2 within the frame, divided by its mean over 1..tau; the first
    lag whose value is below the threshold, followed down to the minimum, is the period.
    """
    low, high = int(rate_hz / max_hz), int(rate_hz / min_hz)
    sound = torch.nn.functional.pad(sound.double(), (0, max(0, FRAME - len(sound))))
    parts = sound.unfold(0, FRAME, HOP).split(AT_ONCE)
    return torch.cat([_frequencies(frames, low, high, rate_hz) for frames in parts])


def _frequencies(frames: Tensor, low: int, high: int, rate_hz: int) -> Tensor:
    """Return the frequencies of frames (n, FRAME), with lags from `low` to `high` - 1."""
    d = [(frames[:, tau:] - frames[:, :-tau]).square().sum(1) for tau in range(1, high)]
    difference = torch.stack(d, 1)  # (frames, high - 1), lags 1..high-1
    total = difference.cumsum(1)
    lags = torch.arange(1, high, dtype=torch.float64)
    value = torch.where(total > 0, difference * lags / total.clamp_min(1e-300), 1.0)
    searched = value[:, low - 1 :]
    below = searched < THRESHOLD
    rising = torch.ones_like(below)
    rising[:, :-1] = searched[:, 1:] >= searched[:, :-1]
    after = below.cumsum(1) > 0  # from the first lag below the threshold on
    stop = (after & rising).to(torch.int64).argmax(1)
    period = (low + stop).double()
    return torch.where(below.any(1), rate_hz / period, 0.0).float()


@FEATURES.register("Pitch")
class Pitch(SoundFeature):
    """Fundamental frequency in Hz; 0 when there is no voice.

    Args:
        min_f0, max_f0: range that is searched, Hz.
    """

    name = "Pitch"

    def __init__(self, min_f0: float = 100.0, max_f0: float = 350.0) -> None:
        super().__init__()
        if not SOUND_HZ / FRAME < min_f0 < max_f0:
            # A longer period than the frame cannot be seen in it.
            raise UserError(
                f"feature Pitch: min_f0={min_f0}, max_f0={max_f0}; "
                f"use {SOUND_HZ / FRAME:g} < min_f0 < max_f0"
            )
        self.options = {"min_f0": min_f0, "max_f0": max_f0}

    def represent(self, wave: Tensor, rate_hz: int) -> Tensor:
        """Return the pitch of a sound (channels, n): (1, frames)."""
        sound = mono(wave, rate_hz, normalise=False)
        return yin(sound, self.options["min_f0"], self.options["max_f0"])[None]

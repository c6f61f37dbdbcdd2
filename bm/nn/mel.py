"""Mel maps of EEG in dB below the loudest value of a channel, and their inverse.

Below 1 kHz the Slaney scale is linear, so the "mel" axis of EEG is a linear frequency axis; with
more filters than Fourier bins neighbouring filters are interpolated copies.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .stft import STFT

SMALLEST = 1e-10  # power under which the published logarithm is cut (librosa's amin)


def _mel(hz: np.ndarray) -> np.ndarray:
    """Return Slaney's scale: linear below 1 kHz, logarithmic above."""
    high = 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4)
    return np.where(hz < 1000, hz / (200 / 3), high)


def _hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * (200 / 3), 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def mel_bank(rate_hz: float, n_fft: int, n_mels: int) -> np.ndarray:
    """Return (n_mels, n_fft // 2 + 1) triangles over 0..rate/2, each of area 1 over Hz.

    Slaney's filters with Slaney's normalisation (Auditory Toolbox, 1998), as librosa has them.
    """
    top = float(_mel(np.asarray(rate_hz / 2)))
    edges = _hz(np.linspace(0, top, n_mels + 2))
    bins = np.arange(n_fft // 2 + 1) * rate_hz / n_fft
    low, mid, high = (edges[i : i + n_mels, None] for i in range(3))
    rising, falling = (bins - low) / (mid - low), (high - bins) / (high - mid)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)


class Mel(nn.Module):
    """Mel power of waves as attenuation in dB below each channel's maximum, and its inverse.

    Args:
        rate_hz: sampling rate.
        n_fft: window in samples.
        hop: samples between frames.
        n_mels: filters.
        top_db: largest attenuation.
    """

    bank: Tensor

    def __init__(
        self, rate_hz: float, n_fft: int = 100, hop: int = 25, n_mels: int = 64, top_db: float = 80
    ) -> None:
        super().__init__()
        self.stft, self.top_db = STFT(n_fft, hop, scaled=False), top_db
        bank = torch.tensor(mel_bank(rate_hz, n_fft, n_mels), dtype=torch.float32)
        self.register_buffer("bank", bank, persistent=False)

    def power(self, wave: Tensor) -> Tensor:
        """Return the mel power (..., frames, n_mels) of a wave (..., T)."""
        return self.stft(wave).abs().square() @ self.bank.T.to(wave)

    def attenuation(self, power: Tensor) -> Tensor:
        """Return mel power (..., frames, n_mels) in dB below the channel's maximum, 0 to top_db."""
        loudest = self.loudest(power)[..., None, None].clamp_min(SMALLEST)
        return (10 * torch.log10(loudest / power.clamp_min(SMALLEST))).clamp_max(self.top_db)

    def loudest(self, power: Tensor) -> Tensor:
        """Return the largest mel power (...,) of each channel, which the attenuation loses."""
        return power.amax((-2, -1))

    def restored(self, attenuation: Tensor, loudest: Tensor) -> Tensor:
        """Return the power (..., frames, n_mels) of an attenuation and a loudest power (...,)."""
        return loudest[..., None, None] * 10 ** (-attenuation / 10)

    def magnitude(self, power: Tensor, iterations: int = 60) -> Tensor:
        """Return a Fourier magnitude (..., frames, bins) of mel power (..., frames, n_mels)."""
        return nonnegative_solution(self.bank.to(power), power, iterations).sqrt()


def nonnegative_solution(matrix: Tensor, values: Tensor, iterations: int = 60) -> Tensor:
    """Return x >= 0 with the least |matrix x - value| for every row of `values`.

    Accelerated projected gradient with restarts (Beck and Teboulle 2009; O'Donoghue and Candes
    2015) from the clipped least-squares solution, all rows at once: a batch of maps takes one
    matrix product per iteration on any device.

    Args:
        matrix: (M, F); columns of zeros give 0.
        values: (..., M).

    Returns:
        (..., F).
    """
    size = matrix.norm(dim=0).clamp_min(torch.finfo(matrix.dtype).tiny)
    unit = torch.where(size > 1e-12, matrix / size, torch.zeros_like(matrix))
    gram, target = unit.T @ unit, values @ unit
    # the largest step with which projected gradient is sure to descend
    step = 1 / torch.linalg.matrix_norm(gram, 2)
    x = (values @ torch.linalg.pinv(unit).T).clamp_min(0)
    ahead, pace = x, torch.ones_like(x[..., :1])
    for _ in range(iterations):
        after = (ahead - step * (ahead @ gram - target)).clamp_min(0)
        uphill = ((ahead - after) * (after - x)).sum(-1, keepdim=True) > 0
        pace = torch.where(uphill, torch.ones_like(pace), pace)
        next_pace = (1 + (1 + 4 * pace.square()).sqrt()) / 2
        ahead = after + (pace - 1) / next_pace * (after - x)
        x, pace = after, next_pace
    return torch.where(size > 1e-12, x / size, torch.zeros_like(x))

"""Short-time Fourier transform on any device, its inverse, and Griffin-Lim phase recovery."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .item_noise import item_generators


class STFT(nn.Module):
    """Centred transform with a periodic Hann window and zeros around the wave.

    Two conventions: scipy's (`scaled`: values divided by the sum of the window, the tail padded to
    a whole number of hops) and the one of audio libraries (neither). There is nothing to learn
    and nothing to save; the precision is that of the wave.

    Args:
        size: samples of the window and of the transform; bins = size // 2 + 1.
        hop: samples between frames (scipy: size - noverlap).
        scaled: scipy's convention.
    """

    def __init__(self, size: int, hop: int, scaled: bool = True) -> None:
        super().__init__()
        if not 1 <= hop <= size:
            raise ValueError(f"hop {hop} of a window of {size} samples")
        self.size, self.hop, self.scaled = size, hop, scaled

    @property
    def bins(self) -> int:
        """Number F of frequencies, 0 to half the sampling rate."""
        return self.size // 2 + 1

    def frames(self, samples: int) -> int:
        """Return the number of frames of a wave."""
        inner = samples + 2 * (self.size // 2) - self.size
        return 1 + (-(-inner // self.hop) if self.scaled else inner // self.hop)

    def samples(self, frames: int) -> int:
        """Return the samples that the inverse of so many frames has."""
        return (frames - 1) * self.hop + self.size % 2

    def window(self, like: Tensor) -> Tensor:
        """Return the periodic Hann window (size,) in the precision and on the device of `like`."""
        real = like.real.dtype if like.is_complex() else like.dtype
        return torch.hann_window(self.size, periodic=True, dtype=real, device=like.device)

    def forward(self, wave: Tensor) -> Tensor:
        """Return the complex spectrum (..., frames, bins) of a wave (..., T)."""
        half = self.size // 2
        tail = half
        if self.scaled:
            tail += self.samples(self.frames(wave.shape[-1])) - wave.shape[-1]
        # made anew: a buffer would have one precision and be cast with the model
        window = self.window(wave)
        cut = functional.pad(wave, (half, tail)).unfold(-1, self.size, self.hop)
        spectrum = torch.fft.rfft(cut * window)
        return spectrum / window.sum() if self.scaled else spectrum

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Return the wave (..., samples(frames)) of a spectrum (..., frames, bins)."""
        window = self.window(spectrum)
        cut = torch.fft.irfft(spectrum, self.size) * window
        if self.scaled:
            cut = cut * window.sum()
        lead, frames = cut.shape[:-2], cut.shape[-2]
        wave = self._overlap_add(cut.reshape(-1, frames, self.size))
        # the window itself was applied twice, so its squares are divided out, where not zero
        weight = self._overlap_add(window.square().expand(1, frames, -1))
        wave = wave / torch.where(weight > 1e-10, weight, torch.ones_like(weight))
        half = self.size // 2
        wave = wave[:, half : wave.shape[1] - half]
        return wave.reshape(*lead, wave.shape[-1])

    def _overlap_add(self, cut: Tensor) -> Tensor:
        """Sum frames (N, frames, size), each `hop` after the last, to (N, T)."""
        total = (cut.shape[1] - 1) * self.hop + self.size
        folded = functional.fold(
            cut.transpose(1, 2), (1, total), (1, self.size), stride=(1, self.hop)
        )
        return folded[:, 0, 0]


def random_phase(like: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
    """Draw phases uniform in [0, 2 pi) of the shape of `like` (B, ...).

    Args:
        seeds: one per item, so that an item's phases do not depend on its batch; None = the
            global generator.
    """
    if seeds is None:
        return 2 * torch.pi * torch.rand_like(like)
    # on the CPU, so that a seed gives the same phases on every device
    phases = [torch.rand(like.shape[1:], generator=one) for one in item_generators(seeds)]
    return (2 * torch.pi * torch.stack(phases)).to(like)


def griffin_lim(
    stft: STFT, magnitude: Tensor, phase: Tensor, iterations: int = 32, momentum: float = 0.99
) -> Tensor:
    """Return a wave whose transform has nearly this magnitude; its phase is arbitrary.

    The correlation with the wave that the magnitude came from is about 0.

    Args:
        magnitude: (..., frames, bins), not negative.
        phase: where to start, same shape.
        iterations, momentum: of the fast version (Perraudin et al. 2013).

    Returns:
        (..., samples(frames)).
    """
    tiny = torch.finfo(magnitude.dtype).tiny
    current, previous = torch.polar(magnitude, phase), None
    for _ in range(iterations):
        rebuilt = stft(stft.inverse(current))
        current = rebuilt
        if previous is not None:
            current = rebuilt - momentum / (1 + momentum) * previous
        current = magnitude * current / (current.abs() + tiny)
        previous = rebuilt
    return stft.inverse(current)

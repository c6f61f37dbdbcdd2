"""Windowed-sinc resampling and low-pass filters on tensors, as in the library julius."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

#: Zero crossings, and cutoff as a share of the lower Nyquist frequency: the defaults of julius,
#: with which brainmagick resamples.
ZEROS, ROLLOFF = 24, 0.945
LONG_KERNEL = 256  # taps from which a product of spectra is cheaper than the sum


@functools.lru_cache(maxsize=32)
def _resampling_kernel(old: int, new: int, zeros: int, rolloff: float) -> tuple[Tensor, int]:
    """Return (new, 1, taps) float64, one row per output phase, and the half width W."""
    scale = rolloff * min(old, new)
    width = math.ceil(zeros * old / scale)
    k = torch.arange(-width, width + old, dtype=torch.float64)
    phase = torch.arange(new, dtype=torch.float64)[:, None]
    u = (scale * (k / old - phase / new)).clamp(-zeros, zeros)
    taps = torch.sinc(u) * torch.cos(math.pi * u / (2 * zeros)) ** 2
    return (taps / taps.sum(1, keepdim=True))[:, None], width


def resample_sinc(
    x: Tensor, old_hz: int, new_hz: int, zeros: int = ZEROS, rolloff: float = ROLLOFF
) -> Tensor:
    """Resample (..., N) to (..., floor(new * N / old)); borders are replicated.

    Args:
        x: floating point; computed in its own precision.
        old_hz, new_hz: whole rates.
        zeros: zero crossings of the sinc on either side.
        rolloff: cutoff, as a share of the lower Nyquist frequency.
    """
    # without the common divisor, 500 -> 120 Hz would need 120 kernels instead of 6
    shared = math.gcd(old_hz, new_hz)
    old, new = old_hz // shared, new_hz // shared
    if old == new:
        return x
    kernel, width = _resampling_kernel(old, new, zeros, rolloff)
    flat = x.reshape(-1, 1, x.shape[-1])
    padded = functional.pad(flat, (width, width + old), mode="replicate")
    phases = functional.conv1d(padded, kernel.to(x), stride=old)
    joined = phases.transpose(1, 2).reshape(*x.shape[:-1], -1)
    return joined[..., : new * x.shape[-1] // old]


@functools.lru_cache(maxsize=32)
def _lowpass_kernel(cutoff: float, zeros: float) -> Tensor:
    half = int(zeros / cutoff / 2)
    n = torch.arange(-half, half + 1, dtype=torch.float64)
    window = torch.hann_window(2 * half + 1, periodic=False, dtype=torch.float64)
    taps = 2 * cutoff * window * torch.sinc(2 * cutoff * n)
    return (taps / taps.sum())[None, None]


def lowpass_sinc(x: Tensor, cutoff: float, zeros: float = 8) -> Tensor:
    """Filter (..., N) low-pass at `cutoff` cycles per sample; borders are replicated."""
    kernel = _lowpass_kernel(cutoff, zeros).to(x)
    half = kernel.shape[-1] // 2
    flat = x.reshape(-1, 1, x.shape[-1])
    padded = functional.pad(flat, (half, half), mode="replicate")
    if kernel.shape[-1] > LONG_KERNEL:
        size = padded.shape[-1] + kernel.shape[-1] - 1
        product = torch.fft.rfft(padded, size) * torch.fft.rfft(kernel, size)
        filtered = torch.fft.irfft(product, size)[..., 2 * half : 2 * half + x.shape[-1]]
    else:
        filtered = functional.conv1d(padded, kernel)
    return filtered.reshape(x.shape)

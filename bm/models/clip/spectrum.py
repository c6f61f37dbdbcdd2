"""Spectrum: short-time Fourier transforms of all channels, as channels (brainmagick)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Spectrum(nn.Module):
    """Short-time spectra of centred frames of n_fft samples every n_fft / 2, one-sided.

    Signals are reflected at the ends, spectra divided by the root of the window's energy. T
    samples give T // hop + 1 frames: those behind the last whole hop show the reflection only.

    Args:
        n_fft: samples of a frame, even.
        complex_values: real and imaginary part as neighbouring channels, else the magnitude.
    """

    def __init__(self, n_fft: int, complex_values: bool) -> None:
        super().__init__()
        self.n_fft, self.complex_values = n_fft, complex_values
        self.window: Tensor
        self.register_buffer("window", torch.hann_window(n_fft))  # saved: as published

    def width(self, channels: int) -> int:
        """Return the number of output channels."""
        return channels * (self.n_fft // 2 + 1) * (2 if self.complex_values else 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the spectra (B, C * bins [* 2], frames) of x (B, C, T)."""
        batch, channels, length = x.shape
        # torch transforms one dimension beside time: channels become items
        spectrum = torch.stft(
            x.reshape(batch * channels, length),
            self.n_fft,
            self.n_fft // 2,
            window=self.window,
            center=True,
            pad_mode="reflect",
            normalized=False,
            return_complex=True,
        )
        spectrum = spectrum / self.window.square().sum().sqrt()
        frames = spectrum.shape[-1]
        if not self.complex_values:
            return spectrum.abs().reshape(batch, -1, frames)
        parts = torch.view_as_real(spectrum).movedim(-1, 2)  # (B C, bins, 2, frames)
        return parts.reshape(batch, -1, frames)

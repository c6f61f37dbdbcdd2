"""MelSpectrum: logarithm of the power in bands of a mel scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import UserError
from . import FEATURES
from .sound import SOUND_HZ, SoundFeature, mono


def htk_bank(n_fft: int, n_mels: int, rate_hz: int = SOUND_HZ) -> Tensor:
    """Return triangles of height 1 on HTK's mel scale, 0 to rate / 2 Hz: (n_fft // 2 + 1, n_mels).

    mel = 2595 log10(1 + f / 700). As published, triangles are not scaled by their width.
    """
    bins = torch.linspace(0, rate_hz // 2, n_fft // 2 + 1)
    top = 2595 * math.log10(1 + rate_hz / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, n_mels + 2) / 2595) - 1)
    slopes = edges[None] - bins[:, None]
    widths = edges.diff()
    falling, rising = slopes[:, 2:] / widths[1:], -slopes[:, :-2] / widths[:-1]
    return torch.minimum(rising, falling).clamp_min(0)


@FEATURES.register("MelSpectrum")
class MelSpectrum(SoundFeature):
    """Mel spectrogram of the sound at 16 kHz, hop n_fft / 4.

    Args:
        n_mels: bands (published: 120).
        n_fft: window in samples.
        normalized: the Fourier transform is divided by the root of the window's energy.
        use_log_scale: log10(power + log_scale_eps).
        norm_audio: the sound is given mean 0 and sd 1 first.
    """

    name = "MelSpectrum"

    def __init__(
        self,
        n_mels: int = 120,
        n_fft: int = 512,
        normalized: bool = True,
        use_log_scale: bool = True,
        log_scale_eps: float = 1e-5,
        norm_audio: bool = True,
    ) -> None:
        super().__init__()
        if n_mels < 1 or n_fft < 4:
            raise UserError(f"feature MelSpectrum: n_mels={n_mels}, n_fft={n_fft} are too small")
        self.dimension = n_mels
        self.options = {
            "n_mels": n_mels,
            "n_fft": n_fft,
            "normalized": normalized,
            "use_log_scale": use_log_scale,
            "log_scale_eps": log_scale_eps,
            "norm_audio": norm_audio,
        }
        # Where there is no sound, the value that silence has.
        self.default = math.log10(log_scale_eps) if use_log_scale else 0.0

    def represent(self, wave: Tensor, rate_hz: int) -> Tensor:
        """Return the spectrogram of a sound (channels, n): (n_mels, 1 + m // hop)."""
        options = self.options
        n_fft = options["n_fft"]
        sound = mono(wave, rate_hz, options["norm_audio"])
        if len(sound) <= n_fft // 2:  # reflected borders need more
            sound = torch.nn.functional.pad(sound, (0, n_fft // 2 + 1 - len(sound)))
        window = torch.hann_window(n_fft)
        spectrum = torch.stft(
            sound, n_fft, n_fft // 4, window=window, center=True, return_complex=True
        )
        # Divided by the energy of the window before it is squared, as torchaudio's option does.
        if options["normalized"]:
            spectrum = spectrum / window.square().sum().sqrt()
        power = htk_bank(n_fft, self.dimension).T @ spectrum.abs().square()
        eps = options["log_scale_eps"]
        return torch.log10(power + eps) if options["use_log_scale"] else power

"""Sound to logarithmic mel spectrum as AudioLDM has it, and back by Griffin-Lim."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError

FLOOR = 1e-5  # of mel magnitudes before the logarithm
EPSILON = 1e-8  # added to the peak by which a clip is divided
PEAK = 0.5  # of a normalised clip
SILENT = 1e-4  # a crop without any larger value is drawn again
CROP_TRIES = 10


@dataclass(frozen=True)
class AudioSettings:
    """Settings of the front-end; the published 16 kHz, 64-band ones by default.

    Attributes:
        rate_hz: of sounds.
        duration_s: of a clip.
        n_fft: samples of a Fourier transform.
        window: samples of the Hann window, centred in it.
        hop: samples between frames.
        n_mels: bands.
        low_hz, high_hz: their range.
    """

    rate_hz: int = 16000
    duration_s: float = 10.24
    n_fft: int = 1024
    window: int = 1024
    hop: int = 160
    n_mels: int = 64
    low_hz: float = 0.0
    high_hz: float = 8000.0

    def __post_init__(self) -> None:
        if min(self.rate_hz, self.duration_s, self.n_fft, self.window, self.hop, self.n_mels) <= 0:
            raise UserError(f"model.audio: every size must be above 0 ({self})")
        if self.window > self.n_fft:
            raise UserError(f"model.audio.window={self.window}: at most n_fft={self.n_fft}")
        if not 0 <= self.low_hz < self.high_hz <= self.rate_hz / 2:
            raise UserError(
                f"model.audio: bands from {self.low_hz:g} to {self.high_hz:g} Hz do not lie "
                f"within 0 to {self.rate_hz / 2:g} Hz, half of rate_hz"
            )

    @property
    def samples(self) -> int:
        """Samples of a clip."""
        return round(self.duration_s * self.rate_hz)

    @property
    def frames(self) -> int:
        """Frames of a clip."""
        return self.samples // self.hop

    @property
    def bands(self) -> int:
        """Bands that are modelled: an odd last one is dropped, as published."""
        return self.n_mels - self.n_mels % 2

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def differing(self, other: AudioSettings, *names: str) -> list[str]:
        """Return `name ours, not theirs` of the settings (all but the duration) that differ."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{name} {mine[name]:g}, not {theirs[name]:g}"
            for name in names or [n for n in mine if n != "duration_s"]
            if mine[name] != theirs[name]
        ]


def mel_basis(settings: AudioSettings) -> Tensor:
    """Return triangles (n_mels, n_fft // 2 + 1) on Slaney's scale, each of area 1 over Hz."""
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(
        num_frequency_bins=settings.n_fft // 2 + 1,
        num_mel_filters=settings.n_mels,
        min_frequency=settings.low_hz,
        max_frequency=settings.high_hz,
        sampling_rate=settings.rate_hz,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.tensor(bank.T, dtype=torch.float32)


def normalised(wave: Tensor) -> Tensor:
    """Return clips (..., n) without their mean, with a largest value of one half."""
    centred = wave - wave.mean(-1, keepdim=True)
    return centred / (centred.abs().amax(-1, keepdim=True) + EPSILON) * PEAK


def padded(wave: Tensor, samples: int) -> Tensor:
    """Return clips (..., n) of exactly `samples`, zeros or nothing of them at the end."""
    return nn.functional.pad(wave[..., :samples], (0, max(0, samples - wave.shape[-1])))


def crop_start(wave: Tensor, samples: int, generator: torch.Generator) -> int:
    """Return where a random crop of a sound (channels, n) starts: up to ten draws until not silent.

    A sound that is not longer is taken whole.
    """
    length, start = wave.shape[-1], 0
    if length <= samples:
        return 0
    for _ in range(CROP_TRIES):
        start = int(float(torch.rand((), generator=generator)) * (length - samples))
        if bool((wave[..., start : start + samples].abs() > SILENT).any()):
            break
    return start


def even_columns(values: Tensor) -> Tensor:
    """Return values (..., F) without their last column where F is odd, as published."""
    return values[..., : values.shape[-1] - values.shape[-1] % 2]


class LogMel(nn.Module):
    """Waves at `settings.rate_hz` to logarithmic mel magnitudes (..., frames, n_mels).

    Args:
        settings: of the front-end.
    """

    basis: Tensor
    hann: Tensor

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self.settings = settings
        # exactly given by the settings: no part of a saved model
        self.register_buffer("basis", mel_basis(settings), persistent=False)
        self.register_buffer("hann", torch.hann_window(settings.window), persistent=False)

    def spectrum(self, wave: Tensor) -> Tensor:
        """Return the complex spectrum (B, n_fft // 2 + 1, frames) of waves (B, n) as they are."""
        s = self.settings
        return torch.stft(
            wave, s.n_fft, s.hop, s.window, self.hann, center=False, return_complex=True
        )

    def magnitude(self, wave: Tensor) -> Tensor:
        """Return magnitudes (B, n_fft // 2 + 1, frames) of waves (B, n), reflected at the ends."""
        edge = (self.settings.n_fft - self.settings.hop) // 2
        return self.spectrum(nn.functional.pad(wave[:, None], (edge, edge), "reflect")[:, 0]).abs()

    def compressed(self, magnitude: Tensor) -> Tensor:
        """Return log-mel (B, frames, n_mels) of magnitudes (B, bins, frames)."""
        return (self.basis @ magnitude).clamp_min(FLOOR).log().transpose(1, 2)

    def fitted(self, values: Tensor) -> Tensor:
        """Return (B, frames of a clip, even columns) of values (B, frames, F).

        Missing frames are filled with 0, as published, and not with the floor of silence.
        """
        short = max(0, self.settings.frames - values.shape[1])
        values = nn.functional.pad(values[:, : self.settings.frames], (0, 0, 0, short))
        return even_columns(values)

    def forward(self, wave: Tensor) -> Tensor:
        """Return log-mel (B, frames, bands) of normalised clips (B, n)."""
        with torch.autocast(wave.device.type, enabled=False):
            return self.fitted(self.compressed(self.magnitude(wave.float())))

    def clip(self, wave: Tensor) -> Tensor:
        """Return log-mel of sounds (B, n) at the front-end's rate, normalised and padded here."""
        return self(padded(normalised(wave.float()), self.settings.samples))


def magnitudes_of(basis: Tensor, mel: Tensor, iterations: int = 40) -> Tensor:
    """Return magnitudes (..., bins) >= 0 whose bands (..., n_mels) are close to `mel`.

    Multiplicative updates (Lee and Seung 2001). They need products with the basis alone: with 32
    bands a sixteenth of the work of projected gradients on the bins.
    """
    target = mel @ basis
    x = target / basis.sum(0).clamp_min(1e-8)
    for _ in range(iterations):
        x = x * target / ((x @ basis.T) @ basis).clamp_min(1e-12)
    return x


def griffin_lim(
    mel: LogMel, log_mel: Tensor, iterations: int = 32, momentum: float = 0.99
) -> Tensor:
    """Return waves (B, frames * hop) whose log-mel is close to (B, frames, n_mels).

    Magnitudes by `magnitudes_of`, phases by the fast algorithm of Griffin and Lim
    (Perraudin et al. 2013) from zero phases: equal input gives equal sound.
    """
    missing = mel.settings.n_mels - log_mel.shape[-1]
    log_mel = nn.functional.pad(log_mel, (0, missing), value=float(torch.tensor(FLOOR).log()))
    # few at a time stay in the cache of a processor
    parts = log_mel.split(len(log_mel) if log_mel.is_cuda else 8)
    return torch.cat([_phased(mel, part, iterations, momentum) for part in parts])


def _phased(mel: LogMel, log_mel: Tensor, iterations: int, momentum: float) -> Tensor:
    """Return waves (B, frames * hop) of log-mel (B, frames, n_mels) of all bands."""
    magnitude = magnitudes_of(mel.basis, log_mel.exp()).transpose(1, 2)
    frames = magnitude.shape[-1]
    weight = _added(mel, _window(mel).square().expand(-1, frames)[None]).clamp_min(1e-8)
    spectrum, before = magnitude.to(torch.complex64), magnitude.new_zeros(())
    for _ in range(iterations):
        rebuilt = mel.spectrum(_overlapped(mel, spectrum) / weight)
        ahead = rebuilt + momentum * (rebuilt - before)
        before = rebuilt
        spectrum = ahead * (magnitude / ahead.abs().clamp_min(1e-9))
    edge = (mel.settings.n_fft - mel.settings.hop) // 2
    return (_overlapped(mel, spectrum) / weight)[:, edge:][:, : frames * mel.settings.hop]


def _window(mel: LogMel) -> Tensor:
    """Return the window (n_fft, 1), centred."""
    s = mel.settings
    side = (s.n_fft - s.window) // 2
    return nn.functional.pad(mel.hann, (side, s.n_fft - s.window - side))[:, None]


def _overlapped(mel: LogMel, spectrum: Tensor) -> Tensor:
    """Return the overlap-add (B, n) of spectra (B, bins, frames), windowed; not yet weighed."""
    return _added(mel, torch.fft.irfft(spectrum, mel.settings.n_fft, dim=1) * _window(mel))


def _added(mel: LogMel, frames: Tensor) -> Tensor:
    """Return the sum (B, n) of frames (B, n_fft, frames) at their places."""
    hop, (count, length) = mel.settings.hop, frames.shape[1:]
    pieces = -(-count // hop)
    parts = nn.functional.pad(frames, (0, 0, 0, pieces * hop - count)).unflatten(1, (pieces, hop))
    # a piece of every frame at a time: a third of the time of `fold`
    total = frames.new_zeros(len(frames), hop, length + pieces - 1)
    for number in range(pieces):
        total[..., number : number + length] += parts[:, number]
    return total.mT.flatten(1)[:, : (length - 1) * hop + count]

"""Representations that a diffusion model works on: waves, STFT or mel maps.

Every representation is a module: `fit` reads training waves once, the statistics are buffers and
live in the checkpoint, `forward` and `inverse` run on the device of the model. Brain-Diffusion
scales nothing: its mel images reach 159 where noise is 1 and samples are clipped to -1..1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mel import SMALLEST, Mel
from .stft import STFT, griffin_lim, random_phase

#: Whitening: bins of a moving average of power, least power of a bin and least variance across
#: channels, as shares of the largest one.
SMOOTHED, LEAST_POWER, LEAST_VARIANCE = 5, 1e-8, 1e-4
LARGEST_QUANTILE = 2**24  # elements that torch.quantile takes; more raise a RuntimeError


class Representation(nn.Module):
    """Transform of waves (B, C, T) to images (B, *shape) about -1..1, and its inverse.

    Statistics are NaN until `fit` or the loading of weights sets them.

    Attributes:
        shape: of one image, channels first.
        n_times: samples of the waves that `inverse` gives.
        limit: () largest |value| of a training image: samplers clip there.
        has_waves: whether `inverse` is defined.
        local: whether parts of an image are of stretches and channels of the waves, so that some
            can be kept while others are generated.
    """

    has_waves: bool = True
    local: bool = True

    shape: tuple[int, ...]
    limit: Tensor

    def __init__(self, n_times: int) -> None:
        super().__init__()
        self.n_times = n_times
        self.register_buffer("limit", torch.tensor(float("nan")))

    def statistic(self, name: str, *shape: int) -> None:
        """Register a statistic that training will set."""
        self.register_buffer(name, torch.full(shape, float("nan")))

    @torch.no_grad()
    def fit(self, waves: Tensor) -> None:
        """Set the statistics from training waves (N, C, T); a few hundred windows do."""
        self.measure(waves)
        self.limit.copy_(self(waves).abs().amax())

    def measure(self, waves: Tensor) -> None:
        """Set the statistics that this representation has."""
        raise NotImplementedError

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return waves (B, C, n_times) of images (B, *shape); `seeds` (B,) draw unknown phases."""
        raise NotImplementedError

    def weights(self, waves: Tensor) -> Tensor | None:
        """Return what the parts of images of waves (B, C, T) weigh in a loss; None = all alike."""
        return None

    def image_mask(self, samples: Tensor) -> Tensor:
        """Return where images (B, *shape) depend on no other samples than those of a mask.

        Args:
            samples: (n_times,) bool.

        Returns:
            bool, broadcast to an image.
        """
        return samples

    def channel_mask(self, channels: Tensor) -> Tensor:
        """Return where images (B, *shape) are of the channels of a mask (C,), bool to broadcast."""
        copies = self.shape[0] // len(channels)  # complex maps hold each channel twice
        return channels.repeat(copies).reshape(-1, *(1,) * (len(self.shape) - 1))


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return a quantile (K,) of each row (K, N), of equally spaced values where too many."""
    # Every n-th value has the same quantile up to noise, and the sort stays bounded.
    stride = -(-values.shape[1] // LARGEST_QUANTILE)
    return torch.stack([torch.quantile(row[::stride], share) for row in values])


def _rows(values: Tensor) -> Tensor:
    """Return all values of each channel, (C, all), of (N, C, ...)."""
    return values.transpose(0, 1).reshape(values.shape[1], -1)


class WaveImage(Representation):
    """The waves themselves, z-scored per channel, cropped to a whole number of `multiple`.

    Args:
        n_channels: C.
        n_times: samples per window.
        multiple: of the length; 1 = no cropping.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, n_channels: int, n_times: int, multiple: int = 64) -> None:
        if n_times < multiple:
            raise ValueError(f"windows of {n_times} samples; at least {multiple} are needed")
        super().__init__(n_times // multiple * multiple)
        self.shape = (n_channels, self.n_times)
        self.statistic("mean", n_channels, 1)
        self.statistic("sd", n_channels, 1)

    def measure(self, waves: Tensor) -> None:
        """Set mean and standard deviation of each channel."""
        rows = _rows(waves)
        self.mean.copy_(rows.mean(1, keepdim=True))
        self.sd.copy_(rows.std(1, keepdim=True).clamp_min(SMALLEST))

    def forward(self, waves: Tensor) -> Tensor:
        """Return the z-scored waves (B, C, n_times) of waves (B, C, T)."""
        return (waves[..., : self.n_times] - self.mean) / self.sd

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return waves (B, C, n_times) in the unit of the data."""
        return image * self.sd + self.mean


class WhitenedImage(WaveImage):
    """Waves whose spectrum and covariance are those of white noise: what is diffused begins there.

    The spectrum of EEG falls by 40 dB and more, and its channels resemble each other: a network
    that starts from white noise first has to learn both. Here each channel is divided by its own
    training spectrum, then channels are decorrelated (ZCA); the inverse puts both back, exactly.
    Spectra are of whole windows, so that a sample depends on all of them.

    Args:
        n_channels: C.
        n_times: samples per window.
        multiple: of the length; 1 = no cropping.
    """

    spectrum: Tensor
    mixing: Tensor
    unmixing: Tensor
    local = False

    def __init__(self, n_channels: int, n_times: int, multiple: int = 64) -> None:
        super().__init__(n_channels, n_times, multiple)
        self.statistic("spectrum", n_channels, self.n_times // 2 + 1)
        self.statistic("mixing", n_channels, n_channels)
        self.statistic("unmixing", n_channels, n_channels)

    def measure(self, waves: Tensor) -> None:
        """Set the root mean power of each channel and bin, and the covariance that is left."""
        super().measure(waves)
        scaled = super().forward(waves)
        power = torch.fft.rfft(scaled).abs().square().mean(0) / self.n_times
        power = power.maximum(power.amax(1, keepdim=True) * LEAST_POWER).clamp_min(SMALLEST)
        # of few windows single bins are noisy; the mean of logarithms leaves the edges of filters
        # steep, and bin 0 (offsets, which a filter took out) is no neighbour of the others
        smooth = functional.avg_pool1d(
            power.log()[:, 1:], SMOOTHED, 1, SMOOTHED // 2, count_include_pad=False
        ).exp()
        self.spectrum.copy_(torch.cat([power[:, :1], smooth], 1).sqrt())
        values, vectors = torch.linalg.eigh(torch.cov(_rows(self._divided(scaled)).double()))
        # channels that others add up to (an average reference) have no variance of their own
        roots = values.clamp_min(float(values[-1]) * LEAST_VARIANCE).sqrt()
        self.mixing.copy_(vectors * roots @ vectors.T)
        self.unmixing.copy_(vectors / roots @ vectors.T)

    def _divided(self, scaled: Tensor) -> Tensor:
        """Return z-scored waves (B, C, n_times) divided by the spectrum of their channel."""
        return torch.fft.irfft(torch.fft.rfft(scaled) / self.spectrum, n=self.n_times)

    def forward(self, waves: Tensor) -> Tensor:
        """Return whitened waves (B, C, n_times) of waves (B, C, T)."""
        return self.unmixing @ self._divided(super().forward(waves))

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return waves (B, C, n_times) in the unit of the data, exactly."""
        spectra = torch.fft.rfft(self.mixing @ image) * self.spectrum
        return super().inverse(torch.fft.irfft(spectra, n=self.n_times), seeds)


class _Map(Representation):
    """Map over time and frequency: waves padded to whole frames, bins padded to a multiple."""

    def __init__(self, n_times: int, stft: STFT, bins: int, multiple: int) -> None:
        super().__init__(n_times)
        self.stft, self.bins = stft, bins
        frames = stft.frames(n_times)
        # whole multiples of the total stride of the U-Net: no scale needs cropping or resizing
        self.frames = -(-frames // multiple) * multiple
        self.width = -(-bins // multiple) * multiple
        self.padded = max(n_times, stft.samples(self.frames))

    def spectrum(self, waves: Tensor) -> Tensor:
        """Return the complex spectrum (B, C, frames, F), with zeros after the end of the waves."""
        return self.stft(self.pad(waves))

    def pad(self, waves: Tensor) -> Tensor:
        """Return the waves (B, C, T) with zeros up to `padded` samples."""
        return functional.pad(waves, (0, self.padded - waves.shape[-1]))

    def image_mask(self, samples: Tensor) -> Tensor:
        """Return the frames (frames, 1) whose window holds no sample outside (n_times,)."""
        half, size = self.stft.size // 2, self.stft.size
        # The STFT is centred: frame k looks at half a window on both sides of sample k * hop.
        outside = functional.pad(~samples, (half, self.padded - len(samples) + size), value=False)
        return ~outside.unfold(0, size, self.stft.hop)[: self.frames].any(-1)[:, None]

    def widen(self, image: Tensor, value: float) -> Tensor:
        """Pad (B, K, frames, bins) to (B, K, frames, width) with `value`."""
        return functional.pad(image, (0, self.width - self.bins), value=value)


class StftComplexImage(_Map):
    """Real and imaginary parts of the STFT: 2 C channels, lossless.

    Args:
        n_channels: C.
        n_times: samples per window.
        nperseg, noverlap: window and overlap in samples (scipy's names).
        per_bin: one scale per channel and bin instead of one per channel: with a 1/f spectrum
            the upper bins are else far below the noise that the network learns to remove.
        multiple: frames and bins are padded to a multiple of it.
    """

    scale: Tensor

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        nperseg: int = 127,
        noverlap: int = 93,
        per_bin: bool = False,
        multiple: int = 32,
    ) -> None:
        stft = STFT(nperseg, nperseg - noverlap)
        super().__init__(n_times, stft, stft.bins, multiple)
        self.shape = (2 * n_channels, self.frames, self.width)
        self.per_bin = per_bin
        self.statistic("scale", n_channels, 1, self.bins if per_bin else 1)

    def measure(self, waves: Tensor) -> None:
        """Set the 99.5 percentile of the magnitude per channel (and bin)."""
        # not the maximum: one artefact would press all other windows towards 0
        magnitude = self.stft(waves).abs()
        if self.per_bin:
            scale = torch.stack([_quantile(_rows(b), 0.995) for b in magnitude.unbind(-1)], -1)
        else:
            scale = _quantile(_rows(magnitude), 0.995)[:, None]
        self.scale.copy_(scale[:, None].clamp_min(SMALLEST))

    def forward(self, waves: Tensor) -> Tensor:
        """Return (B, 2 C, frames, width) of waves: C real parts, then C imaginary parts."""
        spectrum = self.spectrum(waves) / self.scale
        return self.widen(torch.cat([spectrum.real, spectrum.imag], 1), 0.0)

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return the waves (B, C, n_times) of (B, 2 C, frames, width), exactly."""
        real, imaginary = image[..., : self.bins].float().chunk(2, 1)
        spectrum = torch.complex(real, imaginary) * self.scale
        return self.stft.inverse(spectrum)[..., : self.n_times]


class StftMagnitudeImage(_Map):
    """STFT magnitude in dB, -1..1 between two percentiles; the inverse invents a phase.

    Args:
        n_channels: C.
        n_times: samples per window.
        nperseg, noverlap: window and overlap in samples (scipy's names).
        iterations: of Griffin-Lim.
        multiple: frames and bins are padded to a multiple of it.
    """

    epsilon: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        nperseg: int = 127,
        noverlap: int = 93,
        iterations: int = 32,
        multiple: int = 32,
    ) -> None:
        stft = STFT(nperseg, nperseg - noverlap)
        super().__init__(n_times, stft, stft.bins, multiple)
        self.shape = (n_channels, self.frames, self.width)
        self.iterations = iterations
        for name in ("epsilon", "low", "high"):
            self.statistic(name, n_channels, 1, 1)

    def measure(self, waves: Tensor) -> None:
        """Set a thousandth of the median magnitude, and 0.5 and 99.5 percentiles in dB."""
        magnitude = self.stft(waves).abs()
        median = _quantile(_rows(magnitude), 0.5)[:, None, None]
        self.epsilon.copy_((1e-3 * median).clamp_min(SMALLEST))
        decibel = _rows(20 * torch.log10(magnitude + self.epsilon))
        self.low.copy_(_quantile(decibel, 0.005)[:, None, None])
        self.high.copy_(_quantile(decibel, 0.995)[:, None, None])

    def forward(self, waves: Tensor) -> Tensor:
        """Return images (B, C, frames, width) in -1..1 of waves (B, C, T)."""
        decibel = 20 * torch.log10(self.spectrum(waves).abs() + self.epsilon)
        # A flat channel has no span; without the floor it would divide by zero.
        span = (self.high - self.low).clamp_min(1e-3)
        return self.widen((2 * (decibel - self.low) / span - 1).clamp(-1, 1), -1.0)

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return waves (B, C, n_times) of about the magnitude of (B, C, frames, width)."""
        image = image[..., : self.bins].float().clamp(-1, 1)
        decibel = (image + 1) / 2 * (self.high - self.low) + self.low
        magnitude = (10 ** (decibel / 20) - self.epsilon).clamp_min(0)
        # A phase drawn by item: the same image gives the same waves in any batch.
        phase = random_phase(magnitude, seeds)
        return griffin_lim(self.stft, magnitude, phase, self.iterations)[..., : self.n_times]


class MelImage(_Map):
    """Mel attenuation, 1 at the loudest value of a channel, -1 at `top_db` below it.

    The loudest power is lost in the image; the inverse takes the training median of each channel.

    Args:
        n_channels: C.
        n_times: samples per window.
        rate_hz: sampling rate.
        n_fft, hop, n_mels, top_db: see `Mel`.
        iterations: of Griffin-Lim.
        multiple: frames and bins are padded to a multiple of it.
    """

    log_loudest: Tensor

    def __init__(
        self,
        n_channels: int,
        n_times: int,
        rate_hz: float,
        n_fft: int = 100,
        hop: int = 25,
        n_mels: int = 64,
        top_db: float = 80,
        iterations: int = 32,
        multiple: int = 32,
    ) -> None:
        mel = Mel(rate_hz, n_fft, hop, n_mels, top_db)
        super().__init__(n_times, mel.stft, n_mels, multiple)
        self.mel, self.iterations = mel, iterations
        self.shape = (n_channels, self.frames, self.width)
        self.statistic("log_loudest", n_channels)

    def measure(self, waves: Tensor) -> None:
        """Set the median over windows of log10 of the loudest mel power of each channel."""
        loudest = self.mel.loudest(self.mel.power(self.pad(waves)))
        self.log_loudest.copy_(loudest.clamp_min(SMALLEST).log10().median(0).values)

    def forward(self, waves: Tensor) -> Tensor:
        """Return images (B, C, frames, width) in -1..1 of waves (B, C, T)."""
        attenuation = self.mel.attenuation(self.mel.power(self.pad(waves)))
        return self.widen(1 - 2 * attenuation / self.mel.top_db, -1.0)

    def inverse(self, image: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return waves (B, C, n_times) of about the spectrum of (B, C, frames, width)."""
        image = image[..., : self.bins].float().clamp(-1, 1)
        loudest = (10**self.log_loudest).expand(image.shape[:2])
        power = self.mel.restored((1 - image) * self.mel.top_db / 2, loudest)
        magnitude = self.mel.magnitude(power)
        phase = random_phase(magnitude, seeds)
        return griffin_lim(self.stft, magnitude, phase, self.iterations)[..., : self.n_times]


#: name -> class; all take n_channels and n_times, `mel` the rate too.
REPRESENTATIONS: dict[str, type[Representation]] = {
    "wave": WaveImage,
    "whitened": WhitenedImage,
    "stft_complex": StftComplexImage,
    "stft_magnitude": StftMagnitudeImage,
    "mel": MelImage,
}

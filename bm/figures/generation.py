"""Figures of a generative model: real and generated samples in every view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.signal import spectrogram

from ..metrics.spectra import BANDS, RANGE_HZ, band_powers, psd
from .covariance import draw_covariances
from .spectra import draw_spectra
from .spectrogram import draw_spectrograms
from .topography import FEWEST, draw_topographies
from .waves import draw_waves

MOST_SAMPLES = 256  # of a set in a figure: bounds time and memory whatever the size of the set
FRAME_S, HOP_S = 0.5, 0.03125  # of the spectrogram: two cycles of 4 Hz, sixteen steps a frame
SMALLEST = 1e-12  # uV^2: a silent channel stands at -120 dB, far below the noise of amplifiers
CENTRE = "Cz"  # channel of the spectrogram when there is one


def draw_generation(
    real: np.ndarray,
    generated: np.ndarray,
    rate_hz: float,
    channels: Sequence[str],
    positions: np.ndarray | None,
    folder: Path,
    simulated: bool = False,
) -> list[Path]:
    """Draw `waves`, `spectra`, `spectrogram`, with two channels `covariance`, with positions a map.

    The files end in `.svg`; the map of the scalp is `topography.svg`.

    Waves and spectrogram show one sample of each set: that of the median power, which is neither
    the best nor the worst. Spectra and topographies are of all samples, of 256
    evenly spaced ones when there are more. The topography is left out below four channels.

    Args:
        real, generated: (N, C, T) and (M, C, T) in microvolts.
        rate_hz: sampling rate.
        channels: C names.
        positions: (C, 3) metres in head coordinates; None: unknown, no topography.
        folder: where to write.
        simulated: writes the label of simulated data.

    Returns:
        the files, in the order above.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, positions missing in part.
    """
    sets = {"real": np.asarray(real), "generated": np.asarray(generated)}
    for name, samples in sets.items():  # before any file is written
        _check(name, samples, len(channels), sets["real"].shape[-1])
    sets = {name: thinned(samples) for name, samples in sets.items()}
    typical = {name: typical_sample(samples) for name, samples in sets.items()}
    spectra = {name: psd(samples, rate_hz) for name, samples in sets.items()}
    freqs = spectra["real"][0]
    densities = {name: density for name, (_, density) in spectra.items()}
    heads = []
    if positions is not None and len(channels) >= FEWEST:  # first: refuses what is missing
        powers, path = band_powers_db(freqs, densities), folder / "topography.svg"
        heads = [draw_topographies(powers, np.asarray(positions), path, simulated=simulated)]
    if len(channels) > 1:
        path = folder / "covariance.svg"
        heads = [draw_covariances(sets, channels, path, simulated), *heads]
    path = folder / "spectra.svg"
    return [
        draw_waves(typical, rate_hz, channels, folder / "waves.svg", simulated=simulated),
        draw_spectra(freqs, densities, path, channels, simulated=simulated),
        _draw_channel(typical, rate_hz, channels, folder / "spectrogram.svg", simulated),
        *heads,
    ]


def _check(name: str, samples: np.ndarray, n_channels: int, n_times: int) -> None:
    if samples.ndim != 3 or samples.shape[1:] != (n_channels, n_times) or not samples.size:
        raise ValueError(
            f"{name} samples have shape {samples.shape}, not (N, {n_channels} channels, {n_times})"
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} samples hold values that are not finite")


def thinned(samples: np.ndarray) -> np.ndarray:
    """Return at most `MOST_SAMPLES` samples, evenly spaced over the set."""
    count = min(MOST_SAMPLES, len(samples))
    return samples[np.linspace(0, len(samples) - 1, count).round().astype(int)]


def typical_sample(samples: np.ndarray) -> np.ndarray:
    """Return the sample (C, T) of (N, C, T) whose power is the median, the lower of two."""
    powers = np.asarray(samples, float).var(-1).mean(-1)
    return np.asarray(samples[np.argsort(powers, kind="stable")[(len(powers) - 1) // 2]])


def band_powers_db(
    freqs: np.ndarray, densities: dict[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Return band -> set -> power (C,) in dB of the mean over samples.

    Bands that reach above the Nyquist frequency are left out: a part of one is another band.
    """
    bands = {name: edges for name, edges in BANDS.items() if edges[1] <= freqs[-1] + 1e-9}
    powers = {
        name: 10 * np.log10(np.maximum(band_powers(freqs, density, bands).mean(0), SMALLEST))
        for name, density in densities.items()
    }
    return {
        band: {name: power[:, index] for name, power in powers.items()}
        for index, band in enumerate(bands)
    }


def _draw_channel(
    typical: dict[str, np.ndarray],
    rate_hz: float,
    channels: Sequence[str],
    path: Path,
    simulated: bool,
) -> Path:
    """Draw the spectrogram of the central channel of one sample of each set."""
    index = channels.index(CENTRE) if CENTRE in channels else 0
    frame = min(round(FRAME_S * rate_hz), next(iter(typical.values())).shape[-1])
    overlap = max(0, frame - max(1, round(HOP_S * rate_hz)))
    maps = {}
    for name, sample in typical.items():
        freqs, times_s, density = spectrogram(
            np.asarray(sample[index], float), rate_hz, "hann", frame, overlap, detrend="constant"
        )
        inside = (freqs >= RANGE_HZ[0]) & (freqs <= RANGE_HZ[1])
        maps[name] = 10 * np.log10(np.maximum(density[inside], SMALLEST))
    title = f"{channels[index]}, one sample each"
    return draw_spectrograms(maps, times_s, freqs[inside], path, title=title, simulated=simulated)

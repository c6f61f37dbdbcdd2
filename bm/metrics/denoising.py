"""Planted artefacts and what a denoiser gains: signal-to-noise ratio, correlation, error.

The protocol of EEGdenoiseNet (Zhang et al. 2021): clean windows and a scaled artefact, -7 to 2 dB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

ARTEFACTS = ("eog", "emg", "line")
LEVELS_DB = (-7.0, -4.0, -1.0, 2.0)


def artefact(kind: str, shape: tuple[int, ...], rate_hz: float, seed: int) -> np.ndarray:
    """Draw artefacts (N, C, T) of unit power in every channel.

    eog: blinks, raised cosines of .2 to .4 s at about one a second; emg: noise above 20 Hz in a
    burst; line: 50 Hz and its first harmonic below the Nyquist frequency.

    Raises:
        ValueError: unknown kind.
    """
    rng, (items, channels, samples) = np.random.default_rng(seed), shape
    time = np.arange(samples) / rate_hz
    if kind == "eog":
        rows = np.stack([_blinks(rng, time) for _ in range(items)])
    elif kind == "emg":
        spectrum = np.fft.rfft(rng.standard_normal((items, samples)))
        spectrum[:, np.fft.rfftfreq(samples, 1 / rate_hz) < 20] = 0
        centre = rng.uniform(0.3, 0.7, (items, 1)) * time[-1]
        burst = np.exp(-0.5 * ((time - centre) / (0.2 * time[-1])) ** 2)
        rows = np.fft.irfft(spectrum, samples) * burst
    elif kind == "line":
        tones = [f for f in (50.0, 100.0) if f < rate_hz / 2]
        if not tones:
            raise ValueError(f"line: no tone of 50 Hz at {rate_hz:g} Hz")
        phases = rng.uniform(0, 2 * np.pi, (len(tones), items, 1))
        rows = sum(
            np.sin(2 * np.pi * f * time + p) / (i + 1)
            for i, (f, p) in enumerate(zip(tones, phases, strict=True))
        )
    else:
        raise ValueError(f"artefact {kind!r}; one of {', '.join(ARTEFACTS)}")
    # One source reaches all channels: they differ in gain, and share a sign.
    gains = rng.uniform(0.3, 1.0, (items, channels, 1)) * rng.choice([-1.0, 1.0], (items, 1, 1))
    waves = gains * rows[:, None]
    # Channels and time at once: a scale for each channel would undo the gains.
    return np.asarray(waves / np.sqrt(np.square(waves).mean((1, 2), keepdims=True)))


def _blinks(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Return blinks (T,), at least one."""
    wave = np.zeros_like(time)
    # One at least: a window without a blink cannot be scaled to unit power.
    for _ in range(max(1, rng.poisson(time[-1]))):
        width, centre = rng.uniform(0.2, 0.4), rng.uniform(0, time[-1])
        inside = np.abs(time - centre) < width
        wave[inside] += 0.5 + 0.5 * np.cos(np.pi * (time[inside] - centre) / width)
    return wave


def contaminated(clean: np.ndarray, artefacts: np.ndarray, level_db: float) -> np.ndarray:
    """Return clean waves (N, C, T) with artefacts at a ratio of powers in dB, window by window."""
    power = np.square(clean).mean((1, 2), keepdims=True)
    return np.asarray(clean + artefacts * np.sqrt(power * 10 ** (-level_db / 10)))


def gains(clean: np.ndarray, noisy: np.ndarray, cleaned: np.ndarray) -> dict[str, float]:
    """Return what a denoiser gained, means over windows.

    Returns:
        snr_gain_db: decrease of the power of the error.
        correlation: of cleaned and clean windows, channels joined.
        relative_rmse: of the error to the clean window.
    """
    axes = (1, 2)
    error, before = (np.square(x - clean).mean(axes) for x in (cleaned, noisy))
    power = np.square(clean).mean(axes)
    a, b = (x - x.mean(axes, keepdims=True) for x in (cleaned, clean))
    norms = np.sqrt(np.square(a).sum(axes) * np.square(b).sum(axes))
    correlation = (a * b).sum(axes) / np.maximum(norms, 1e-30)
    return {
        "snr_gain_db": float((10 * np.log10(before / np.maximum(error, 1e-30))).mean()),
        "correlation": float(correlation.mean()),
        "relative_rmse": float(np.sqrt(error / power).mean()),
    }


def denoising_table(
    clean: np.ndarray,
    rate_hz: float,
    methods: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    seed: int = 0,
) -> list[dict[str, float | str]]:
    """Return a row for each artefact, level and method.

    Args:
        clean: (N, C, T) real windows.
        rate_hz: of them.
        methods: name -> noisy windows (N, C, T) to cleaned ones.
        seed: of the artefacts, the same for all methods.
    """
    rows: list[dict[str, float | str]] = []
    for number, kind in enumerate(ARTEFACTS):
        if kind == "line" and rate_hz <= 100:
            continue  # its tone is beyond the Nyquist frequency
        # Drawn before the loops: levels and methods are compared on the same artefacts.
        artefacts = artefact(kind, clean.shape, rate_hz, seed + number)
        for level in LEVELS_DB:
            noisy = contaminated(clean, artefacts, level)
            for name, method in methods.items():
                values = gains(clean, noisy, method(noisy))
                rows.append({"artefact": kind, "level_db": level, "method": name, **values})
    return rows


def band_filter(rate_hz: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the reference of a band of 1 to 40 Hz with sharp edges."""

    def clean(waves: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(waves)
        frequencies = np.fft.rfftfreq(waves.shape[-1], 1 / rate_hz)
        spectrum[..., (frequencies < 1) | (frequencies > 40)] = 0
        return np.fft.irfft(spectrum, waves.shape[-1])

    return clean


def clipped_components(train: np.ndarray, limit: float = 3.0) -> Callable[[np.ndarray], np.ndarray]:
    """Return a reference like artifact subspace reconstruction (Mullen et al. 2015).

    Principal components of clean training windows (N, C, T) whose amplitude in a window is more
    than `limit` sd above what is usual there are left out of that window.
    """
    joined = train.transpose(1, 0, 2).reshape(train.shape[1], -1)
    _, axes = np.linalg.eigh(np.cov(joined))
    amplitudes = np.sqrt(np.square(axes.T @ train).mean(2))
    border = amplitudes.mean(0) + limit * amplitudes.std(0)

    def clean(waves: np.ndarray) -> np.ndarray:
        parts = axes.T @ waves
        usual = np.sqrt(np.square(parts).mean(2, keepdims=True)) <= border[:, None]
        return np.asarray(axes @ (parts * usual))

    return clean

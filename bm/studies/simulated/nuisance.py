"""What disturbs every recording: power line, drift, white noise, blinks, muscle, bad channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from .lead_field import normalise, patch
from .noise import shaped
from .random_streams import Place

# Unit vectors of the eyes, in front and slightly below, and of the muscles at the temples.
EYES = normalise(np.array([[0.30, 0.95, -0.10], [-0.30, 0.95, -0.10]]))
TEMPLES = np.array([[0.98, 0.10, -0.10], [-0.98, 0.10, -0.10]])
WHITE_UV = 0.4  # sd of an amplifier's own noise
NOISY_UV = 80.0  # sd of a noisy channel, where an EEG has 11 to 17
Event = dict[str, Any]


@dataclass(frozen=True)
class Nuisance:
    """Settings of what carries no information.

    Attributes:
        artefacts: blinks and muscle.
        line_hz, line_uv: frequency and amplitude of the power line.
        drift_uv: size of the slow drift.
        flat_channels, noisy_channels: how many.
        blinks_per_min, muscle_per_min: rates of the artefacts.
        harmonics: amplitudes at 1, 2, 3, ... times the line's frequency, in units of `line_uv`.
        white_uv: sd of the white noise of each channel.
    """

    artefacts: bool = True
    line_hz: float = 50.0
    line_uv: float = 2.0
    drift_uv: float = 8.0
    flat_channels: int = 0
    noisy_channels: int = 0
    blinks_per_min: float = 8.0
    muscle_per_min: float = 0.7
    harmonics: tuple[float, ...] = (1.0,)
    white_uv: float = WHITE_UV


def add_nuisance(
    place: Place, settings: Nuisance, signal: np.ndarray, electrodes: np.ndarray, rate_hz: float
) -> tuple[list[Event], dict[str, list[int]]]:
    """Add line, drift, white noise, artefacts and bad channels to a signal (C, T) in place.

    Returns:
        events of the artefacts, and numbers of the bad channels by what is wrong with them.
    """
    rng = place.stream("nuisance")
    channels, samples = signal.shape
    signal += line(rng, settings, channels, samples, rate_hz)
    signal += drift(rng, settings.drift_uv, channels, samples, rate_hz)
    signal += np.float32(settings.white_uv) * rng.standard_normal(signal.shape, dtype=np.float32)
    # Artefacts are drawn whether they are used or not: switching them off moves nothing else.
    target = signal if settings.artefacts else np.zeros_like(signal)
    rng_artefacts = place.stream("artefacts")
    events = add_artefacts(rng_artefacts, target, settings, electrodes, rate_hz)
    bads = spoil_channels(rng_artefacts, signal, settings)
    return (events if settings.artefacts else []), bads


def line(
    rng: Generator, settings: Nuisance, channels: int, samples: int, rate_hz: float
) -> np.ndarray:
    """Draw the power line with its harmonics: (C, T) float32 uV."""
    gain = settings.line_uv * np.exp(0.4 * rng.standard_normal(channels))
    phase = rng.uniform(0, 2 * np.pi) + 0.3 * rng.standard_normal(channels)
    turn = 2 * np.pi * settings.line_hz * np.arange(samples) / rate_hz
    orders = np.arange(1, len(settings.harmonics) + 1)
    # Sine and cosine of each order are made once and mixed by channel: a matrix product instead of
    # C x T sines.
    waves = np.concatenate([np.sin(np.outer(orders, turn)), np.cos(np.outer(orders, turn))])
    weights = gain[:, None] * np.array(settings.harmonics)
    angles = np.outer(phase, orders)
    mixing = np.concatenate([weights * np.cos(angles), weights * np.sin(angles)], 1)
    return mixing.astype(np.float32) @ waves.astype(np.float32)


def drift(
    rng: Generator, size_uv: float, channels: int, samples: int, rate_hz: float
) -> np.ndarray:
    """Draw a slow random walk between knots 10 s apart: (C, T) float32 uV.

    Between two knots it follows half a cosine, so that it has no corner.
    """
    knots = max(4, int(samples / (10 * rate_hz)) + 3)
    walk = np.cumsum(rng.standard_normal((channels, knots)), 1)
    walk = ((walk - walk.mean(1, keepdims=True)) * size_uv / np.sqrt(knots)).astype(np.float32)
    place = np.linspace(0, knots - 1, samples)
    left = np.minimum(place.astype(int), knots - 2)
    share = (0.5 * (1 - np.cos(np.pi * (place - left)))).astype(np.float32)
    edges = np.searchsorted(left, np.arange(knots))
    curve = np.empty((channels, samples), np.float32)
    for knot in range(knots - 1):
        part = slice(edges[knot], edges[knot + 1])
        step = (walk[:, knot + 1] - walk[:, knot])[:, None]
        np.multiply(step, share[part], out=curve[:, part])
        curve[:, part] += walk[:, knot, None]
    return curve


def add_artefacts(
    rng: Generator,
    signal: np.ndarray,
    settings: Nuisance,
    electrodes: np.ndarray,
    rate_hz: float,
) -> list[Event]:
    """Add blinks and muscle to a signal (C, T) in place, and return their events in order."""
    duration_s = signal.shape[1] / rate_hz
    eyes = patch(electrodes, EYES[0], 0.45) + patch(electrodes, EYES[1], 0.45)
    events = []
    for start in rng.uniform(0, duration_s, rng.poisson(settings.blinks_per_min * duration_s / 60)):
        height, length = rng.uniform(80, 160), rng.uniform(0.2, 0.4)
        shape = np.hanning(max(2, round(length * rate_hz))) ** 1.5
        events.append(_add(signal, start, rate_hz, height * eyes, shape, "blink"))
    for start in rng.uniform(0, duration_s, rng.poisson(settings.muscle_per_min * duration_s / 60)):
        height, length, side = rng.uniform(8, 25), rng.uniform(0.4, 1.5), rng.integers(2)
        samples = max(2, round(length * rate_hz))
        noise = shaped(rng, _muscle_spectrum, 1, samples, rate_hz)[0]
        shape = np.hanning(samples) * noise / max(1e-6, float(noise.std()))
        topography = height * patch(electrodes, TEMPLES[side], 0.4)
        events.append(_add(signal, start, rate_hz, topography, shape, "muscle"))
    return sorted((e for e in events if e), key=lambda e: e["start_s"])


def _muscle_spectrum(f: np.ndarray) -> np.ndarray:
    """Return the spectrum of muscle: rising from 18 to 30 Hz, falling above 60 Hz."""
    return np.clip((f - 18) / 12, 0, 1) / (1 + (f / 60) ** 2)


def _add(
    signal: np.ndarray,
    start_s: float,
    rate_hz: float,
    topography: np.ndarray,
    shape: np.ndarray,
    name: str,
) -> Event:
    """Add one artefact to a signal in place; return its event, empty when it begins too late."""
    start = round(start_s * rate_hz)
    shape = shape[: signal.shape[1] - start]
    if not len(shape):
        return {}
    signal[:, start : start + len(shape)] += (topography[:, None] * shape).astype(np.float32)
    return {
        "kind": "special",
        "name": name,
        "start_s": start / rate_hz,
        "duration_s": len(shape) / rate_hz,
    }


def spoil_channels(rng: Generator, signal: np.ndarray, settings: Nuisance) -> dict[str, list[int]]:
    """Make channels of a signal flat or noisy in place, and return which."""
    order = rng.permutation(len(signal)).tolist()
    flat = order[: settings.flat_channels]
    noisy = order[settings.flat_channels : settings.flat_channels + settings.noisy_channels]
    signal[flat] = 0.0
    noise = rng.standard_normal((len(noisy), signal.shape[1]), dtype=np.float32)
    signal[noisy] += NOISY_UV * noise
    return {"flat": sorted(flat), "noisy": sorted(noisy)}

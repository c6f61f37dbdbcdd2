"""The response to a story: acoustic and lexical sources, the same for all subjects (section 5)."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from .forward import normalise, tangents
from .speech import AUDIO_HZ
from .story import Stimuli, Story, tell
from .streams import Place

EDGES_HZ = (100, 300, 500, 800, 1200, 1800, 2700, 4000, 7000)
BANDS = len(EDGES_HZ) - 1
ENVELOPE_HZ = 100
FRAME, HOP = round(0.025 * AUDIO_HZ), AUDIO_HZ // ENVELOPE_HZ
KERNELS_S = ((0.150, 0.030), (0.260, 0.050))  # latency and width of the two waves
KERNEL_S = 0.5
SOURCES = 6  # acoustic, and as many lexical


def band_envelopes(audio: np.ndarray) -> np.ndarray:
    """Compressed envelopes of eight bands at 100 Hz: (8, n); frames are centred on their time."""
    padded = np.pad(audio, (FRAME // 2, FRAME // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1))
    f = np.fft.rfftfreq(FRAME, 1 / AUDIO_HZ)
    pairs = itertools.pairwise(EDGES_HZ)
    power = [np.square(magnitude[:, (f >= a) & (f < b)]).mean(1) for a, b in pairs]
    return np.stack(power) ** 0.25


@dataclass(frozen=True)
class Weights:
    """Truth of the study: acoustic (6, 8), mixture of the kernels (6, 2), lexical (words, 6, 2),
    tangents (12, 3) of the sources' dipoles at the sites given to `draw_weights`."""

    acoustic: np.ndarray
    mixture: np.ndarray
    lexical: np.ndarray
    directions: np.ndarray


def draw_weights(seed: int, n_words: int, sites: np.ndarray) -> Weights:
    """The truth of a seed; the first words of a larger vocabulary keep their responses."""
    rng = Place(seed, "listening").stream("study", 1)
    acoustic = rng.standard_normal((SOURCES, BANDS)) / np.sqrt(BANDS)
    mixture = rng.standard_normal((SOURCES, 2))
    directions = tangents(rng, normalise(sites))
    return Weights(acoustic, mixture, rng.standard_normal((n_words, SOURCES, 2)), directions)


def kernels() -> np.ndarray:
    """Two Gaussian waves, causal: (2, 50)."""
    time = np.arange(round(KERNEL_S * ENVELOPE_HZ)) / ENVELOPE_HZ
    return np.stack([np.exp(-((time - at) ** 2) / (2 * sd**2)) for at, sd in KERNELS_S])


def convolve(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Causal convolution of rows (n, T) with one kernel each (n, K): (n, T)."""
    pairs = zip(rows, kernel, strict=True)
    return np.stack([np.convolve(row, k)[: rows.shape[1]] for row, k in pairs])


def raw_sources(story: Story, weights: Weights, scales: tuple[float, float]) -> np.ndarray:
    """Sources before they get unit sd: (12, T) at 100 Hz."""
    envelope = band_envelopes(story.audio) / scales[0]
    onset = np.maximum(0, np.diff(envelope, axis=1, prepend=envelope[:, :1])) / scales[1]
    drive = 0.5 * (envelope - envelope.mean(1, keepdims=True)) + onset
    two = kernels()
    acoustic = convolve(weights.acoustic @ drive, weights.mixture @ two)
    impulses = np.zeros((2, SOURCES, envelope.shape[1]))
    for item in story.words:
        frame = min(round(item.start / HOP), envelope.shape[1] - 1)
        impulses[:, :, frame] += weights.lexical[item.word].T
    lexical = sum(
        convolve(rows, np.tile(k, (SOURCES, 1))) for rows, k in zip(impulses, two, strict=True)
    )
    return np.concatenate([acoustic, lexical])


@functools.lru_cache(maxsize=8)
def scales_of(stimuli: Stimuli, sites: tuple[tuple[float, ...], ...]) -> tuple:
    """Scales of envelope and onset, mean and sd of each source, from the first story.

    The first story stands for the study, so that a study with more stories begins with the same
    recordings.
    """
    story = tell(stimuli, 0)
    envelope = band_envelopes(story.audio)
    first = float(envelope.std())
    onset = np.maximum(0, np.diff(envelope / first, axis=1, prepend=envelope[:, :1] / first))
    pair = (first, float(onset.std()))
    found = raw_sources(story, draw_weights(stimuli.seed, stimuli.n_words, np.array(sites)), pair)
    return pair, found.std(1, keepdims=True)


def sources(
    stimuli: Stimuli, number: int, sites: np.ndarray, rate_hz: float, samples: int
) -> np.ndarray:
    """Sources of unit sd at the rate of the recording: (12, samples) float32."""
    key = tuple(map(tuple, sites.tolist()))
    pair, sd = scales_of(stimuli, key)
    found = raw_sources(
        tell(stimuli, number), draw_weights(stimuli.seed, stimuli.n_words, sites), pair
    )
    time = np.arange(samples) / rate_hz
    frames = np.arange(found.shape[1]) / ENVELOPE_HZ
    return np.stack([np.interp(time, frames, row) for row in found / sd]).astype(np.float32)


def recognise(clip: np.ndarray, candidates: list[np.ndarray]) -> np.ndarray:
    """Audio observer: largest correlation of centred envelopes over lags of +-50 ms: (K,).

    Args:
        clip: (n,) audio at 16 kHz; candidates: the true clips; silence fills the shorter.
    """
    length = max(map(len, [clip, *candidates]))

    def envelope(audio: np.ndarray) -> np.ndarray:
        return band_envelopes(np.pad(audio, (0, length - len(audio))))

    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
        norm = np.sqrt(np.square(a).sum() * np.square(b).sum())
        return float((a * b).sum() / norm) if norm else 0.0

    heard = envelope(clip)
    width = heard.shape[1]
    found = []
    for candidate in candidates:
        other = envelope(candidate)
        lags = range(-min(5, width - 1), min(5, width - 1) + 1)
        pairs = [(max(0, lag), max(0, -lag), width - abs(lag)) for lag in lags]
        scores = [correlation(heard[:, i : i + n], other[:, j : j + n]) for i, j, n in pairs]
        found.append(max(scores))
    return np.array(found)

"""Response to a story: acoustic and lexical sources, the same for all subjects.

Acoustic sources follow the envelopes of the sound and their onsets; lexical sources respond to the
onset of each word in a way of its own. Both are smeared by two waves, as evoked responses are.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from ..lead_field import normalise, tangents
from ..random_streams import Place
from .stories import Stimuli, Story, tell
from .words import AUDIO_HZ

EDGES_HZ = (100, 300, 500, 800, 1200, 1800, 2700, 4000, 7000)
BANDS = len(EDGES_HZ) - 1
ENVELOPE_HZ = 100  # rate of envelopes and sources
FRAME, HOP = round(0.025 * AUDIO_HZ), AUDIO_HZ // ENVELOPE_HZ
KERNELS_S = ((0.150, 0.030), (0.260, 0.050))  # latency and width of the two waves
KERNEL_S = 0.5
SOURCES = 6  # acoustic ones, and as many lexical


def band_envelopes(audio: np.ndarray) -> np.ndarray:
    """Return compressed envelopes of eight bands at 100 Hz: (8, n).

    Frames are centred on their time; the fourth root of the power compresses loud against soft.
    """
    padded = np.pad(audio, (FRAME // 2, FRAME // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(FRAME).astype(np.float32), axis=1))
    f = np.fft.rfftfreq(FRAME, 1 / AUDIO_HZ)
    pairs = itertools.pairwise(EDGES_HZ)
    power = [np.square(magnitude[:, (f >= a) & (f < b)]).mean(1) for a, b in pairs]
    return np.stack(power) ** 0.25


@dataclass(frozen=True)
class Weights:
    """Truth of the study.

    Attributes:
        acoustic: (6, 8) weights of the bands in each acoustic source.
        mixture: (6, 2) of the two kernels in each acoustic source.
        lexical: (words, 6, 2) response of each lexical source to each word, by kernel.
        directions: (12, 3) tangents of the sources' dipoles at their sites.
    """

    acoustic: np.ndarray
    mixture: np.ndarray
    lexical: np.ndarray
    directions: np.ndarray


def draw_weights(seed: int, n_words: int, sites: np.ndarray) -> Weights:
    """Draw the truth of a seed; the first words of a larger vocabulary keep their responses."""
    rng = Place(seed, "listening").stream("study", 1)
    acoustic = rng.standard_normal((SOURCES, BANDS)) / np.sqrt(BANDS)
    mixture = rng.standard_normal((SOURCES, 2))
    directions = tangents(rng, normalise(sites))
    return Weights(acoustic, mixture, rng.standard_normal((n_words, SOURCES, 2)), directions)


def kernels() -> np.ndarray:
    """Return two Gaussian waves, causal: (2, 50)."""
    time = np.arange(round(KERNEL_S * ENVELOPE_HZ)) / ENVELOPE_HZ
    return np.stack([np.exp(-((time - at) ** 2) / (2 * sd**2)) for at, sd in KERNELS_S])


def convolve(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the causal convolution of rows (n, T) with a kernel each (n, K): (n, T)."""
    pairs = zip(rows, kernel, strict=True)
    return np.stack([np.convolve(row, k)[: rows.shape[1]] for row, k in pairs])


def raw_sources(story: Story, weights: Weights, scales: tuple[float, float]) -> np.ndarray:
    """Return sources before they get unit sd: (12, T) at 100 Hz.

    Args:
        story: that is heard.
        weights: truth of the study.
        scales: sd of envelopes and of onsets.
    """
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
def scales_of(
    stimuli: Stimuli, sites: tuple[tuple[float, ...], ...]
) -> tuple[tuple[float, float], np.ndarray]:
    """Return the scales of envelope and onset, and the sd of each source, from the first story.

    The first story stands for the study, so that a study with more stories begins with the same
    recordings.
    """
    story = tell(stimuli, 0)
    envelope = band_envelopes(story.audio)
    first = float(envelope.std())
    onset = np.maximum(0, np.diff(envelope / first, axis=1, prepend=envelope[:, :1] / first))
    pair = (first, float(onset.std()))
    weights = draw_weights(stimuli.seed, stimuli.n_words, np.array(sites))
    return pair, raw_sources(story, weights, pair).std(1, keepdims=True)


def sources(
    stimuli: Stimuli, number: int, sites: np.ndarray, rate_hz: float, samples: int
) -> np.ndarray:
    """Return sources of unit sd at the rate of the recording: (12, samples) float32."""
    key = tuple(map(tuple, sites.tolist()))
    pair, sd = scales_of(stimuli, key)
    weights = draw_weights(stimuli.seed, stimuli.n_words, sites)
    rows = raw_sources(tell(stimuli, number), weights, pair) / sd
    time = np.arange(samples) / rate_hz
    frames = np.arange(rows.shape[1]) / ENVELOPE_HZ
    return np.stack([np.interp(time, frames, row) for row in rows]).astype(np.float32)

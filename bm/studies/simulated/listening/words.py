"""Synthetic words: formant synthesis of phonemes, once for each word of a vocabulary.

A voiced phoneme is harmonics of a falling pitch under three formants, a fricative or plosive is
noise around one frequency.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ..random_streams import Place

AUDIO_HZ = 16_000
LEVEL = 0.1  # rms of a word; full scale is 1
HARMONICS, PITCH_HZ, PITCH_FALL = 35, 125.0, 0.25
FORMANT_GAINS, FORMANT_WIDTHS_HZ = (1.0, 0.6, 0.3), (60.0, 90.0, 130.0)
NOISE_GAIN, NOISE_WIDTH = 0.6, 0.3  # width in units of the logarithm of frequency
SMOOTH_S, FADE_IN_S, FADE_OUT_S = 0.025, 0.010, 0.020  # of the voice; of the ends of a word
PLOSIVES, BURST_MS = frozenset("ktpdb"), 65  # plosives up to this length burst, then decay


@dataclass(frozen=True)
class Phoneme:
    """One sound of the language.

    Attributes:
        id: number in the table of phonemes that the feature `Phoneme` uses.
        formants_hz: three resonances; none of a voiceless sound.
        voice, noise: amplitudes of the two parts.
        noise_hz: centre of the noise.
        length_ms: mean length.
    """

    id: int
    formants_hz: tuple[float, ...]
    voice: float
    noise: float
    noise_hz: float
    length_ms: float


PHONEMES: dict[str, Phoneme] = {
    "a": Phoneme(28, (850, 1400, 2500), 1, 0, 0, 120),
    "e": Phoneme(17, (450, 2100, 2700), 1, 0, 0, 110),
    "i": Phoneme(6, (300, 2400, 3000), 1, 0, 0, 110),
    "o": Phoneme(11, (500, 900, 2400), 1, 0, 0, 120),
    "u": Phoneme(29, (320, 800, 2300), 1, 0, 0, 110),
    "E": Phoneme(7, (600, 1800, 2500), 1, 0, 0, 90),
    "I": Phoneme(21, (400, 1950, 2600), 1, 0, 0, 80),
    "s": Phoneme(5, (), 0, 0.5, 6000, 100),
    "S": Phoneme(34, (), 0, 0.5, 3200, 100),
    "f": Phoneme(32, (), 0, 0.3, 4500, 90),
    "x": Phoneme(9, (), 0, 0.35, 1600, 90),
    "k": Phoneme(24, (), 0, 0.6, 2000, 60),
    "t": Phoneme(20, (), 0, 0.6, 4000, 60),
    "p": Phoneme(10, (), 0, 0.5, 900, 60),
    "m": Phoneme(19, (280, 1100, 2200), 0.45, 0, 0, 70),
    "n": Phoneme(4, (280, 1600, 2500), 0.45, 0, 0, 70),
    "l": Phoneme(13, (350, 1100, 2700), 0.55, 0, 0, 70),
    "r": Phoneme(8, (420, 1300, 1700), 0.55, 0, 0, 60),
    "z": Phoneme(30, (250, 1700, 2500), 0.35, 0.25, 6000, 80),
    "d": Phoneme(0, (250, 1700, 2600), 0.3, 0.4, 3500, 55),
    "b": Phoneme(2, (250, 900, 2300), 0.35, 0.3, 700, 55),
}
VOWELS = "aeiouEI"
CONSONANTS = "".join(symbol for symbol in PHONEMES if symbol not in VOWELS)


@dataclass(frozen=True)
class Word:
    """A word of the vocabulary.

    Attributes:
        text: its spelling, a letter for each phoneme.
        edges: first sample of each phoneme, and the end.
        wave: (n,) float32 at 16 kHz.
    """

    text: str
    edges: tuple[int, ...]
    wave: np.ndarray


def draw_spelling(rng: Generator) -> str:
    """Draw one to three consonant-vowel syllables and at times a consonant; 3 phonemes or more."""
    while True:
        count, closed = int(rng.integers(1, 4)), rng.uniform() < 0.4
        pairs = zip(rng.integers(len(CONSONANTS), size=3), rng.integers(7, size=3), strict=True)
        text = "".join(CONSONANTS[c] + VOWELS[v] for c, v in pairs)[: 2 * count]
        last = CONSONANTS[int(rng.integers(len(CONSONANTS)))]
        text += last if closed else ""
        if len(text) >= 3:
            return text


@functools.lru_cache(maxsize=4)
def vocabulary(seed: int, n_words: int) -> tuple[Word, ...]:
    """Make the first `n_words` words of a seed, all different."""
    rng = Place(seed, "listening").stream("study")
    texts: dict[str, None] = {}
    while len(texts) < n_words:
        texts[draw_spelling(rng)] = None
    place = Place(seed, "listening")
    return tuple(synthesise(text, place.stream("audio", w)) for w, text in enumerate(texts))


def synthesise(text: str, rng: Generator) -> Word:
    """Make the waveform of a spelling."""
    phonemes = [PHONEMES[symbol] for symbol in text]
    stretch = np.exp(0.1 * rng.standard_normal(len(text)))
    lengths = np.array([p.length_ms for p in phonemes]) * 1e-3 * stretch
    edges = np.round(np.concatenate([[0.0], np.cumsum(lengths)]) * AUDIO_HZ).astype(int)
    wave = voiced(phonemes, edges)
    for symbol, phoneme, start, stop in zip(text, phonemes, edges[:-1], edges[1:], strict=True):
        white = rng.standard_normal(stop - start)
        if phoneme.noise:
            burst = symbol in PLOSIVES and phoneme.length_ms <= BURST_MS
            wave[start:stop] += friction(white, phoneme, burst)
    rise, fall = round(FADE_IN_S * AUDIO_HZ), round(FADE_OUT_S * AUDIO_HZ)
    wave[:rise] *= np.linspace(0, 1, rise)
    wave[-fall:] *= np.linspace(1, 0, fall)
    wave *= LEVEL / np.sqrt(np.square(wave).mean())
    return Word(text, tuple(edges.tolist()), wave.astype(np.float32))


def voiced(phonemes: list[Phoneme], edges: np.ndarray) -> np.ndarray:
    """Make harmonics of a falling pitch under three moving formants: (n,)."""
    samples = int(edges[-1])
    pitch = PITCH_HZ * (1 - PITCH_FALL * np.arange(samples) / samples)
    phase = 2 * np.pi * np.cumsum(pitch) / AUDIO_HZ
    centres = (edges[:-1] + edges[1:]) / 2
    # Voiceless phonemes take the formants of their neighbours, so that formants glide through them.
    sounding = [k for k, p in enumerate(phonemes) if p.formants_hz]
    table = np.array([phonemes[k].formants_hz for k in sounding])
    index = np.arange(samples)
    formants = [np.interp(index, centres[sounding], column) for column in table.T]
    kernel = np.hanning(round(SMOOTH_S * AUDIO_HZ) + 1)
    level = np.repeat([p.voice for p in phonemes], np.diff(edges))
    level = np.convolve(level, kernel / kernel.sum(), "same")[:samples]
    wave = np.zeros(samples)
    for h in range(1, HARMONICS + 1):
        resonance = sum(
            gain / (1 + ((h * pitch - centre) / width) ** 2)
            for gain, centre, width in zip(FORMANT_GAINS, formants, FORMANT_WIDTHS_HZ, strict=True)
        )
        wave += h**-0.4 * resonance * np.sin(h * phase)
    return wave * level


def friction(white: np.ndarray, phoneme: Phoneme, burst: bool) -> np.ndarray:
    """Return white noise shaped around the phoneme's centre and in time: (n,)."""
    f = np.fft.rfftfreq(len(white), 1 / AUDIO_HZ)
    weight = np.exp(-0.5 * (np.log((f + 50) / phoneme.noise_hz) / NOISE_WIDTH) ** 2)
    noise = np.fft.irfft(np.fft.rfft(white) * weight, len(white))
    time = np.arange(len(white)) / len(white)
    shape = np.exp(-5 * time) if burst else np.hanning(len(white))
    return NOISE_GAIN * phoneme.noise * noise / noise.std() * shape

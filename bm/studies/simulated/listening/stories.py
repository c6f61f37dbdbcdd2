"""Stories of mode `listening`: sentences of synthetic words, their audio and its WAV file."""

from __future__ import annotations

import functools
import hashlib
import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....writing import replacing
from ..random_streams import Place
from .words import AUDIO_HZ, vocabulary

LEAD_S = 0.5  # silence before the first sentence
GAP_S, PAUSE_S = (0.03, 0.09), (0.5, 0.9)  # after a word, after a sentence
AUDIO_VERSION = 1  # of the synthesis: a change makes other files


@dataclass(frozen=True)
class Stimuli:
    """Settings that the audio depends on; all subjects hear the same."""

    seed: int
    n_words: int
    n_sentences: int

    @property
    def hash(self) -> str:
        """Return the name of the folder of the WAV files."""
        text = json.dumps([AUDIO_VERSION, self.seed, self.n_words, self.n_sentences])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Spoken:
    """A word in a story.

    Attributes:
        word: number in the vocabulary.
        start, stop: samples of the audio.
        sentence: number in the story.
        index: place in the sentence.
    """

    word: int
    start: int
    stop: int
    sentence: int
    index: int


@dataclass(frozen=True)
class Story:
    """A story: audio (n,) float32 at 16 kHz, its words, and word numbers of each sentence."""

    audio: np.ndarray
    words: tuple[Spoken, ...]
    sentences: tuple[tuple[int, ...], ...]


@functools.lru_cache(maxsize=64)
def sentences(stimuli: Stimuli, story: int) -> tuple[tuple[int, ...], ...]:
    """Draw the word numbers of each sentence; none occurs in an earlier story."""
    spoken = {words for k in range(story) for words in sentences(stimuli, k)}
    rng = Place(stimuli.seed, "listening").stream("study", 1000 + story)
    # Words differ in frequency, though less than those of a language (Zipf's law: exponent -1).
    weight = np.arange(1, stimuli.n_words + 1) ** -0.5
    weight /= weight.sum()
    drawn: list[tuple[int, ...]] = []
    while len(drawn) < stimuli.n_sentences:
        count = int(rng.integers(4, 8))
        words = tuple(rng.choice(stimuli.n_words, count, replace=False, p=weight).tolist())
        if words not in spoken:
            spoken.add(words)
            drawn.append(words)
    return tuple(drawn)


@functools.lru_cache(maxsize=32)
def tell(stimuli: Stimuli, number: int) -> Story:
    """Make the story of a number."""
    words = vocabulary(stimuli.seed, stimuli.n_words)
    rng = Place(stimuli.seed, "listening").stream("audio", 100_000 + number)
    texts = sentences(stimuli, number)
    position, spoken, gains = round(LEAD_S * AUDIO_HZ), [], []
    for s, sentence in enumerate(texts):
        for i, w in enumerate(sentence):
            stop = position + len(words[w].wave)
            spoken.append(Spoken(w, position, stop, s, i))
            gains.append(np.exp(0.1 * rng.standard_normal()))
            gap = rng.uniform(*(PAUSE_S if i == len(sentence) - 1 else GAP_S))
            position = stop + round(gap * AUDIO_HZ)
    audio = np.zeros(position, dtype=np.float32)
    for item, gain in zip(spoken, gains, strict=True):
        audio[item.start : item.stop] += np.float32(gain) * words[item.word].wave
    return Story(np.clip(audio, -1, 1), tuple(spoken), texts)


def write_wav(stimuli: Stimuli, number: int, cache: Path) -> Path:
    """Write the story as 16-bit WAV under the cache, unless it is there; return its path.

    Events of kind `sound` need a file, because features of sound read one.
    """
    folder = cache / "simulated" / stimuli.hash
    path = folder / f"story-{number}.wav"
    if path.exists():
        return path
    with replacing(path) as aside, wave.open(str(aside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AUDIO_HZ)
        file.writeframes(np.round(tell(stimuli, number).audio * 32767).astype("<i2").tobytes())
    return path

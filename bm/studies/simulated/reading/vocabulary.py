"""Words and sentences of mode `reading`: a small grammar, and an embedding of every word."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from ..random_streams import Place


def read_classes() -> dict[str, tuple[str, ...]]:
    """Read the word classes of the grammar: 96 words of five kinds."""
    text = Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8")
    return {kind: tuple(words.split()) for kind, words in json.loads(text).items()}


CLASSES = read_classes()
WORDS = tuple(word for words in CLASSES.values() for word in words)
INDEX = {word: number for number, word in enumerate(WORDS)}
DIMENSIONS = 16  # of the embedding: 8 bands x 2 sources
CENTRE_GAIN = 0.5  # words of a class are near each other, as in embeddings of real words
ADJECTIVE_SHARE, PHRASE_SHARE = 0.5, 0.4  # of noun phrases, of sentences


@dataclass(frozen=True)
class Semantics:
    """Truth of the study: embedding (96, 16), and modulation (96, 16), which is it rotated."""

    embedding: np.ndarray
    modulation: np.ndarray


@functools.lru_cache(maxsize=8)
def semantics(seed: int) -> Semantics:
    """Draw the embedding of every word, .5 class centre + N(0, I), standardised, and rotate it."""
    rng = Place(seed, "reading").stream("study")
    centres = rng.standard_normal((len(CLASSES), DIMENSIONS))
    kinds = np.repeat(np.arange(len(CLASSES)), [len(words) for words in CLASSES.values()])
    raw = CENTRE_GAIN * centres[kinds] + rng.standard_normal((len(WORDS), DIMENSIONS))
    embedding = (raw - raw.mean(0)) / raw.std(0)
    triangle = np.linalg.qr(rng.standard_normal((DIMENSIONS, DIMENSIONS)))
    # With these signs the factor of a Gaussian matrix is uniform over the orthogonal group.
    rotation = triangle.Q * np.sign(np.diag(triangle.R))
    return Semantics(embedding, embedding @ rotation.T)


def draw_sentence(rng: Generator) -> tuple[int, ...]:
    """Draw word numbers of D [A] N V D [A] N and perhaps P D [A] N: 5 to 11 words."""

    def one(kind: str) -> int:
        return INDEX[CLASSES[kind][int(rng.integers(len(CLASSES[kind])))]]

    def noun_phrase() -> list[int]:
        adjective = [one("adjective")] if rng.uniform() < ADJECTIVE_SHARE else []
        return [one("determiner"), *adjective, one("noun")]

    words = [*noun_phrase(), one("verb"), *noun_phrase()]
    if rng.uniform() < PHRASE_SHARE:
        words += [one("preposition"), *noun_phrase()]
    return tuple(words)


@functools.lru_cache(maxsize=64)
def sentences(seed: int, count: int, run: int) -> tuple[tuple[int, ...], ...]:
    """Draw the sentences of a run, read by every subject; none occurs in an earlier run."""
    used = {words for earlier in range(run) for words in sentences(seed, count, earlier)}
    rng = Place(seed, "reading").stream("study", 1000 + run)
    drawn: list[tuple[int, ...]] = []
    while len(drawn) < count:
        words = draw_sentence(rng)
        if words not in used:
            used.add(words)
            drawn.append(words)
    return tuple(drawn)


def text_of(words: tuple[int, ...]) -> str:
    """Return the sentence in letters, lower case."""
    return " ".join(WORDS[w] for w in words)

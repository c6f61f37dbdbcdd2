"""Known spatial filters of mode `reading`: attainable, not a bound (simulated.md section 8)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import fft

from .noise import gaussian, integral, unit_variance
from .nuisance import WHITE_UV
from .reading import BANDS_HZ, BETA, PER_BAND, RATE_HZ, ReadingRecording
from .simulation import alpha_patterns
from .vocabulary import draw_sentence, semantics

CANDIDATES = 10  # of a sentence, all of its word count: length tells nothing
PAD_HZ = 0.25  # finest bin of the spectrum of a short window


@dataclass(frozen=True)
class Filters:
    """What is known of a subject at an snr.

    Attributes:
        weights: (16, C), unit gain for the own source.
        variance: (words, 16) expected power behind the filter while a word is read.
        width_hz: (16,) of the bands.
    """

    weights: np.ndarray
    variance: np.ndarray
    width_hz: np.ndarray


def filters_of(recording: ReadingRecording) -> Filters:
    """w = S^-1 a / (a' S^-1 a), S without the source at the centre of its band."""
    reader, snr = recording.reader, recording.options["snr"]
    head, count = reader.head, len(reader.electrodes)
    base = snr * reader.variances
    alpha = alpha_patterns(reader.electrodes)
    tuned = unit_variance(gaussian(head.alpha_hz, 0.8), RATE_HZ)
    white = 2 * WHITE_UV**2 / RATE_HZ * np.eye(count)
    weights, noises, widths = [], [], []
    for number, (low, high) in enumerate(BANDS_HZ.values()):
        width, middle = high - low, np.array([(low + high) / 2])
        own = range(PER_BAND * number, PER_BAND * (number + 1))

        def density(power: float, rhythm: float, share: float) -> np.ndarray:
            rhythmic = head.alpha_uv**2 * rhythm * (alpha.T @ alpha)
            return power * head.covariance + rhythmic + share * white

        centre = density(head.spectrum()(middle)[0], tuned(middle)[0], 1.0)
        whole = density(integral(head.spectrum(), low, high), integral(tuned, low, high), width)
        for k in own:
            others = sum(base[j] * np.outer(reader.patterns[j], reader.patterns[j])
                         for j in own if j != k)  # fmt: skip
            solved = np.linalg.solve(centre + others / width, reader.patterns[k])
            weights.append(solved / (reader.patterns[k] @ solved))
            noises.append(weights[-1] @ (whole + others) @ weights[-1])
            widths.append(width)
    modulation = np.exp(BETA * semantics(recording.place.seed).modulation)
    return Filters(np.array(weights), base * modulation + np.array(noises), np.array(widths))


def band_pass(sources: np.ndarray, rate_hz: float) -> np.ndarray:
    """Every source (16, T) in its own band."""
    samples = sources.shape[1]
    length = fft.next_fast_len(samples, real=True)
    bins = fft.rfft(sources, length, axis=1)
    f = np.fft.rfftfreq(length, 1 / rate_hz)
    for number, (low, high) in enumerate(BANDS_HZ.values()):
        rows = slice(PER_BAND * number, PER_BAND * (number + 1))
        bins[rows, (f < low) | (f > high)] = 0
    return fft.irfft(bins, length, axis=1)[:, :samples]


def word_log_likelihoods(filters: Filters, energy: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """-nu/2 sum_k [ln v + E/v], nu = max(1, 2 B T).

    Args:
        energy: (n, 16) mean power behind the filters.
        seconds: (n,) time that it was averaged over.

    Returns:
        (n, words).
    """
    freedom = np.maximum(1, 2 * filters.width_hz * seconds[:, None])
    logarithm = np.log(filters.variance)
    return -0.5 * (freedom @ logarithm.T + (freedom * energy) @ (1 / filters.variance).T)


def read_words(
    filters: Filters, wave: np.ndarray, spans: Sequence[Sequence[tuple[int, int]]]
) -> np.ndarray:
    """Log-likelihoods of the words behind spans of samples of a wave (C, T) uV: (n, words)."""
    power = np.square(band_pass(filters.weights @ wave, RATE_HZ))
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], 1)
    energy, seconds = [], []
    for parts in spans:
        count = sum(stop - start for start, stop in parts)
        energy.append(sum(total[:, stop] - total[:, start] for start, stop in parts) / count)
        seconds.append(count / RATE_HZ)
    return word_log_likelihoods(filters, np.array(energy), np.array(seconds))


def window_scores(recording: ReadingRecording, windows: np.ndarray) -> np.ndarray:
    """Log-likelihoods of the words for windows (n, C, T) uV of one word each: (n, words)."""
    filters = filters_of(recording)
    samples = windows.shape[-1]
    taper = np.hanning(samples)
    taper /= np.sqrt(np.square(taper).mean())
    sources = np.einsum("kc,nct->nkt", filters.weights, windows)
    length = fft.next_fast_len(max(samples, round(RATE_HZ / PAD_HZ)), real=True)
    bins = np.square(np.abs(fft.rfft(sources * taper, length, axis=-1)))
    f = np.fft.rfftfreq(length, 1 / RATE_HZ)
    parts = []
    for number, (low, high) in enumerate(BANDS_HZ.values()):
        rows = slice(PER_BAND * number, PER_BAND * (number + 1))
        parts.append(bins[:, rows, (f >= low) & (f <= high)].sum(-1))
    energy = np.concatenate(parts, 1) * 2 / (samples * length)
    return word_log_likelihoods(filters, energy, np.full(len(windows), samples / RATE_HZ))


@functools.lru_cache(maxsize=4)
def _pool(seed: int) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Sentences of the grammar by their word count."""
    rng = np.random.default_rng([seed, 4])
    found: dict[int, set[tuple[int, ...]]] = {}
    for words in (draw_sentence(rng) for _ in range(4000)):
        found.setdefault(len(words), set()).add(words)
    return {count: tuple(sorted(group)) for count, group in found.items()}


def candidates(words: tuple[int, ...], rng: Generator) -> list[tuple[int, ...]]:
    """The sentence and nine others of its word count; the sentence is the first."""
    pool = [other for other in _pool(0)[len(words)] if other != words]
    chosen = rng.choice(len(pool), CANDIDATES - 1, replace=False)
    return [words, *(pool[k] for k in chosen)]


def sentence_scores(
    scores: np.ndarray, indices: Sequence[int], texts: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """Sum over fixated positions of the log-likelihood of each text's word there: (K,).

    Args:
        scores: (n, words) of the fixated positions.
        indices: their places in the sentence.
        texts: candidate sentences as word numbers.
    """
    rows = np.arange(len(indices))
    return np.array([scores[rows, np.array(text)[list(indices)]].sum() for text in texts])


@dataclass
class Found:
    """Shares of words and sentences found, and of how many."""

    word: float
    sentence: float
    n_words: int
    n_sentences: int


def observe(recordings: Sequence[ReadingRecording], limit: int, rng: Generator) -> Found:
    """Read real recordings: words among 96, sentences among ten; ties share the credit."""
    words, texts, n_words, n_texts = 0.0, 0.0, 0, 0
    each = max(1, -(-limit // len(recordings)))
    for recording in recordings:
        filters, wave = filters_of(recording), recording.signal_uv()
        sentences = recording.sentences[:each]
        spans = [spans_of(sentence.fixations) for sentence in sentences]
        scores = read_words(filters, wave, [parts for s in spans for parts in s.values()])
        for sentence, own in zip(sentences, spans, strict=True):
            part, scores = scores[: len(own)], scores[len(own) :]
            true = np.array(sentence.words)[list(own)]
            words += sum(credit(row, w) for row, w in zip(part, true, strict=True))
            texts += credit(sentence_scores(part, list(own), candidates(sentence.words, rng)), 0)
            n_words, n_texts = n_words + len(own), n_texts + 1
    return Found(words / n_words, texts / n_texts, n_words, n_texts)


def spans_of(fixations: Sequence) -> dict[int, list[tuple[int, int]]]:
    """Samples of all fixations on each fixated word, by its place in the sentence."""
    found: dict[int, list[tuple[int, int]]] = {}
    for fixation in fixations:
        found.setdefault(fixation.word, []).append((fixation.start, fixation.stop))
    return dict(sorted(found.items()))


def credit(scores: np.ndarray, true: int) -> float:
    """One when the true candidate is best; a tie among m shares the credit 1/m."""
    best = np.isclose(scores, scores.max(), rtol=1e-12, atol=1e-9)
    return float(best[true] / best.sum())

"""Observer of mode `reading`: known spatial filters read words and sentences.

It knows where the sources are and what each word does to their power, and looks at one source at a
time. That can be attained by a decoder, and is no bound of what another could do.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.random import Generator

from ....readers.zuco import BANDS_HZ
from ..head import ALPHA_BAND_HZ, alpha_patterns
from ..noise import gaussian, integral, unit_variance
from ..nuisance import WHITE_UV
from ..random_streams import Place
from ..tie_credit import tie_credit
from .gaze import Fixation
from .recording import BETA, PER_BAND, RATE_HZ, ReadingRecording
from .vocabulary import draw_sentence, semantics

if TYPE_CHECKING:
    from .. import Simulated

CANDIDATES = 10  # of a sentence, all of its word count: length tells nothing
PAD_HZ = 0.25  # finest bin of the spectrum of a short window


@dataclass(frozen=True)
class Filters:
    """Filters of a subject at an snr, and what is expected behind them.

    Attributes:
        weights: (16, C), of unit gain for the source they are made for.
        variance: (words, 16) expected power behind the filter while a word is read.
        width_hz: (16,) of the bands.
    """

    weights: np.ndarray
    variance: np.ndarray
    width_hz: np.ndarray


def filters_of(recording: ReadingRecording) -> Filters:
    """Return the filters w = S^-1 a / (a' S^-1 a) of a recording's sources.

    a is the pattern of a source, S the spectral matrix without it, at the centre of its band.
    """
    reader, snr = recording.reader, recording.options["snr"]
    head, count = reader.head, len(reader.electrodes)
    rest = snr * reader.variances
    alpha = alpha_patterns(reader.electrodes)
    tuned = unit_variance(gaussian(head.alpha_hz, ALPHA_BAND_HZ), RATE_HZ)
    # One-sided density in uV^2/Hz: the variance is spread over 0 to half the rate.
    white = 2 * WHITE_UV**2 / RATE_HZ * np.eye(count)
    weights, noises, widths = [], [], []
    for number, (low, high) in enumerate(BANDS_HZ.values()):
        width, middle = high - low, np.array([(low + high) / 2])
        in_band = range(PER_BAND * number, PER_BAND * (number + 1))

        def density(power: float, rhythm: float, share: float) -> np.ndarray:
            rhythmic = head.alpha_uv**2 * rhythm * (alpha.T @ alpha)
            return power * head.covariance + rhythmic + share * white

        centre = density(head.spectrum()(middle)[0], tuned(middle)[0], 1.0)
        whole = density(integral(head.spectrum(), low, high), integral(tuned, low, high), width)
        for k in in_band:
            others = sum(
                rest[j] * np.outer(reader.patterns[j], reader.patterns[j])
                for j in in_band
                if j != k
            )
            # Minimum variance beamformer (Van Veen et al. 1997): unit gain, least of all the rest.
            solved = np.linalg.solve(centre + others / width, reader.patterns[k])
            weights.append(solved / (reader.patterns[k] @ solved))
            noises.append(weights[-1] @ (whole + others) @ weights[-1])
            widths.append(width)
    modulation = np.exp(BETA * semantics(recording.place.seed).modulation)
    return Filters(np.array(weights), rest * modulation + np.array(noises), np.array(widths))


def band_pass(sources: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return every source (16, T) in its own band."""
    samples = sources.shape[1]
    length = scipy.fft.next_fast_len(samples, real=True)
    bins = scipy.fft.rfft(sources, length, axis=1)
    f = np.fft.rfftfreq(length, 1 / rate_hz)
    for number, (low, high) in enumerate(BANDS_HZ.values()):
        rows = slice(PER_BAND * number, PER_BAND * (number + 1))
        bins[rows, (f < low) | (f > high)] = 0
    return scipy.fft.irfft(bins, length, axis=1)[:, :samples]


def word_log_likelihoods(filters: Filters, energy: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return -nu/2 sum_k [ln v + E/v] of every word, nu = max(1, 2 B T).

    The energy E of a Gaussian source of variance v in a band B over a time T is chi-squared with
    nu degrees of freedom.

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
    """Return log-likelihoods of the words behind spans of a wave.

    Args:
        filters: of the subject.
        wave: (C, T) uV.
        spans: samples from and to of the fixations on each of n words.

    Returns:
        (n, words).
    """
    power = np.square(band_pass(filters.weights @ wave, RATE_HZ))
    # Running sums: the energy of a span is a difference of two, however long it is.
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], 1)
    energy, seconds = [], []
    for parts in spans:
        count = sum(stop - start for start, stop in parts)
        energy.append(sum(total[:, stop] - total[:, start] for start, stop in parts) / count)
        seconds.append(count / RATE_HZ)
    return word_log_likelihoods(filters, np.array(energy), np.array(seconds))


def log_likelihoods(recording: ReadingRecording, windows: np.ndarray) -> np.ndarray:
    """Return those of the words, for windows (n, C, T) uV of one word each: (n, words)."""
    filters = filters_of(recording)
    samples = windows.shape[-1]
    # A window of one word holds nothing but its fixation: its edges would leak into all bands.
    taper = np.hanning(samples)
    taper /= np.sqrt(np.square(taper).mean())
    sources = np.einsum("kc,nct->nkt", filters.weights, windows)
    length = scipy.fft.next_fast_len(max(samples, round(RATE_HZ / PAD_HZ)), real=True)
    bins = np.square(np.abs(scipy.fft.rfft(sources * taper, length, axis=-1)))
    f = np.fft.rfftfreq(length, 1 / RATE_HZ)
    parts = []
    for number, (low, high) in enumerate(BANDS_HZ.values()):
        rows = slice(PER_BAND * number, PER_BAND * (number + 1))
        parts.append(bins[:, rows, (f >= low) & (f <= high)].sum(-1))
    # Parseval: a one-sided bin stands for two, over the samples and the padded length.
    energy = np.concatenate(parts, 1) * 2 / (samples * length)
    return word_log_likelihoods(filters, energy, np.full(len(windows), samples / RATE_HZ))


@functools.lru_cache(maxsize=4)
def _pool(seed: int) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Draw sentences of the grammar, by their word count."""
    rng = np.random.default_rng([seed, 4])
    groups: dict[int, set[tuple[int, ...]]] = {}
    # Enough for nine others of every word count: 191 sentences of 11 words, 1178 of 6.
    for words in (draw_sentence(rng) for _ in range(4000)):
        groups.setdefault(len(words), set()).add(words)
    return {count: tuple(sorted(group)) for count, group in groups.items()}


def candidates(words: tuple[int, ...], rng: Generator) -> list[tuple[int, ...]]:
    """Return the sentence and nine others of its word count; the sentence is the first."""
    pool = [other for other in _pool(0)[len(words)] if other != words]
    places = rng.choice(len(pool), CANDIDATES - 1, replace=False)
    return [words, *(pool[k] for k in places)]


def sentence_scores(
    scores: np.ndarray, indices: Sequence[int], texts: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """Return the sum over fixated positions of the log-likelihood of each text's word there: (K,).

    Args:
        scores: (n, words) of the fixated positions.
        indices: their places in the sentence.
        texts: candidate sentences as word numbers.
    """
    rows = np.arange(len(indices))
    return np.array([scores[rows, np.array(text)[list(indices)]].sum() for text in texts])


@dataclass
class ReadingAccuracy:
    """Shares of words and sentences that are right, and their numbers."""

    word: float
    sentence: float
    n_words: int
    n_sentences: int


def observe(recordings: Sequence[ReadingRecording], limit: int, rng: Generator) -> ReadingAccuracy:
    """Read real recordings: words among 96, sentences among ten; ties share the credit."""
    words, texts, n_words, n_texts = 0.0, 0.0, 0, 0
    each = max(1, -(-limit // len(recordings)))
    for recording in recordings:
        filters, wave = filters_of(recording), recording.signal_uv()
        sentences = recording.sentences[:each]
        spans = [spans_of(sentence.fixations) for sentence in sentences]
        scores = read_words(filters, wave, [parts for s in spans for parts in s.values()])
        for sentence, places in zip(sentences, map(list, spans), strict=True):
            part, scores = scores[: len(places)], scores[len(places) :]
            true = np.array(sentence.words)[places]
            words += float(tie_credit(part, true).sum())
            totals = sentence_scores(part, places, candidates(sentence.words, rng))
            texts += float(tie_credit(totals[None], np.array([0]))[0])
            n_words, n_texts = n_words + len(places), n_texts + 1
    return ReadingAccuracy(words / n_words, texts / n_texts, n_words, n_texts)


def spans_of(fixations: Sequence[Fixation]) -> dict[int, list[tuple[int, int]]]:
    """Return samples of all fixations on each fixated word, by its place in the sentence."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for fixation in fixations:
        spans.setdefault(fixation.word, []).append((fixation.start, fixation.stop))
    return dict(sorted(spans.items()))


def observe_study(study: Simulated, snr: float, draws: int) -> tuple[float, int]:
    """Return the share of sentences right among ten of their word count, and their number."""
    recordings = [r for r in study.at(snr) if isinstance(r, ReadingRecording)]
    accuracy = observe(recordings, draws, Place(study.seed, study.mode).stream("study", 9))
    return accuracy.sentence, accuracy.n_sentences

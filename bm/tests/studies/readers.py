"""A plain decoder of the reading mode: ridge regression from band amplitudes to the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from bm.readers.zuco import BANDS_HZ
from bm.studies.simulated.reading.observer import candidates, spans_of
from bm.studies.simulated.reading.recording import RATE_HZ
from bm.studies.simulated.reading.vocabulary import semantics


@dataclass
class Read:
    """Fixated words of one subject: log amplitudes (n, 8 * C), word numbers, places, sentences."""

    features: np.ndarray
    words: np.ndarray
    index: np.ndarray
    sentence: np.ndarray
    texts: list[tuple[int, ...]]
    seed: int


def read(recording) -> Read:
    """Mean band power in all fixations on each fixated word, as a logarithm of the amplitude."""
    signal = recording.signal_uv()
    length = fft.next_fast_len(signal.shape[1], real=True)
    bins, f = fft.rfft(signal, length, axis=1), fft.rfftfreq(length, 1 / RATE_HZ)
    spans = [(s, i, p) for s in recording.sentences for i, p in spans_of(s.fixations).items()]
    columns = []
    for low, high in BANDS_HZ.values():
        part = fft.irfft(bins * ((f >= low) & (f <= high)).astype(np.float32), length, axis=1)
        total = np.cumsum(np.square(part), axis=1, dtype=np.float64)
        rows = []
        for _, _, parts in spans:
            count = sum(stop - start for start, stop in parts)
            rows.append(sum(total[:, b - 1] - total[:, a - 1] for a, b in parts) / count)
        columns.append(0.5 * np.log(np.array(rows)))
    return Read(
        np.concatenate(columns, 1),
        np.array([s.words[i] for s, i, _ in spans]),
        np.array([i for _, i, _ in spans]),
        np.array([s.number for s, _, _ in spans]),
        [s.words for s in recording.sentences],
        recording.place.seed,
    )


def retrieve(data: Read, rng: np.random.Generator, permute: bool = False) -> dict[str, float]:
    """Correlation with the embedding and sentence retrieval on the last 30 % of the sentences.

    Args:
        permute: pairs the training words with each other's embeddings, which tell nothing.
    """
    embedding = semantics(data.seed).embedding
    train = data.sentence < 0.7 * len(data.texts)
    words = rng.permutation(data.words[train]) if permute else data.words[train]
    mean, sd = data.features[train].mean(0), data.features[train].std(0)
    x = (data.features - mean) / sd
    y = embedding[words]
    gram = x[train].T @ x[train] + STRENGTH * train.sum() * np.eye(x.shape[1])
    assert np.isfinite(x).all()  # the first of scores that are no number would look like the best
    guess = y.mean(0) + x @ np.linalg.solve(gram, x[train].T @ (y - y.mean(0)))
    right, true = [], embedding[data.words]
    for number in np.unique(data.sentence[~train]):
        mask = data.sentence == number
        texts = np.array(candidates(data.texts[number], rng))[:, data.index[mask]]
        right.append(similarity(guess[mask], embedding[texts]).argmax() == 0)
    pairs = zip(guess[~train].T, true[~train].T, strict=True)
    r = np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    return {"r": float(r), "sentence": float(np.mean(right))}


STRENGTH = 1.0  # of the ridge, per window


def similarity(guess: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Correlation of the guesses (n, 16) with the embeddings of each text (K, n, 16): (K,)."""
    flat, rows = guess.ravel(), texts.reshape(len(texts), -1)
    return rows @ flat / np.linalg.norm(rows, axis=1)


def mean_of(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of every score."""
    return {name: float(np.mean([f[name] for f in parts])) for name in parts[0]}

"""Plain decoders of the sEEG mode: linear discriminants on high gamma and on slow potentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from bm.studies.simulated.seeg.observer import SLOW_HZ
from bm.studies.simulated.seeg.recording import GAMMA_HZ, GO_S, RATE_HZ

from .decoders import discriminant

SPAN_S = (0.2, 1.7)  # after the cue to speak
GAMMA_CELL_S, SLOW_CELL_S = 0.1, 0.05


@dataclass
class Trials:
    """Trials of one subject: log energy (n, C, 15), slow potential (n, C, 30), words, weights."""

    gamma: np.ndarray
    slow: np.ndarray
    words: np.ndarray
    weights: np.ndarray


def trials_of(recordings: Sequence) -> Trials:
    """Cells of 100 ms of 70-150 Hz energy and the slow potential from .2 to 1.7 s after the cue."""
    parts = [_trials_of(recording) for recording in recordings]
    weights = recordings[0].speaker.implant.weights
    gamma, slow, words = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Trials(gamma, slow, words, weights)


def _trials_of(recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    signal, events = recording.signal_uv(), recording.events()
    rows = events[events["kind"] == "trial"]
    first = ((rows["start_s"] + GO_S + SPAN_S[0]) * RATE_HZ).round().astype(int)
    high, low = bands(signal, (GAMMA_HZ, SLOW_HZ))
    gamma = np.log(cells(np.square(high), first, GAMMA_CELL_S))
    return gamma, cells(low, first, SLOW_CELL_S), rows["label"].to_numpy(int)


def bands(signal: np.ndarray, edges_hz: Sequence[tuple[float, float]]) -> list[np.ndarray]:
    """The signal (C, T) in several bands."""
    length = fft.next_fast_len(signal.shape[1], real=True)
    bins, f = fft.rfft(signal, length, axis=1), fft.rfftfreq(length, 1 / RATE_HZ)
    parts = [bins * ((f >= low) & (f <= high)).astype(np.float32) for low, high in edges_hz]
    return [fft.irfft(part, length, axis=1)[:, : signal.shape[1]] for part in parts]


def cells(signal: np.ndarray, first: Sequence[int], cell_s: float) -> np.ndarray:
    """Means of a signal (C, T) over cells of the windows from samples `first` on: (n, C, cells)."""
    length, cell = round((SPAN_S[1] - SPAN_S[0]) * RATE_HZ), round(cell_s * RATE_HZ)
    cut = np.stack([signal[:, a : a + length] for a in first])
    return cut.reshape(*cut.shape[:2], -1, cell).mean(-1)


def folds(words: np.ndarray, share: float) -> np.ndarray:
    """Mark the first trials of each word, which train."""
    train = np.zeros(len(words), dtype=bool)
    for word in np.unique(words):
        trials = np.flatnonzero(words == word)
        train[trials[: round(share * len(trials))]] = True
    return train


def score(features: np.ndarray, words: np.ndarray, train: np.ndarray) -> float:
    """Accuracy on what does not train."""
    flat = features.reshape(len(features), -1)
    return float(discriminant().fit(flat[train], words[train]).score(flat[~train], words[~train]))


def decode(trials: Trials, rng: np.random.Generator, share: float = 0.8) -> dict[str, float]:
    """Accuracy of every kind of features, and with permuted labels."""
    told, words = trials.weights > 0, trials.words
    train = folds(words, share)
    permuted = np.where(train, 0, words)
    permuted[train] = rng.permutation(words[train])
    return {
        "all": score(trials.gamma, words, train),
        "informative": score(trials.gamma[:, told], words, train),
        "others": score(trials.gamma[:, ~told], words, train),
        "slow": score(trials.slow, words, train),
        "permuted": score(trials.gamma, permuted, train),
    }


def precision(trials: Trials) -> float:
    """Share of informative contacts among as many that decode best one by one."""
    train = folds(trials.words, 0.8)
    alone = [score(trials.gamma[:, k], trials.words, train) for k in range(len(trials.weights))]
    told = trials.weights > 0
    best = np.argsort(alone)[::-1][: told.sum()]
    return float(told[best].mean())

"""Known filters of mode `seeg`: high gamma and slow potential, onset known (section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from .gestures import lexicon
from .motor import credit
from .noise import integral, unit_variance
from .seeg import (
    GAMMA_HZ,
    RATE_HZ,
    RHO,
    SLOW_GAIN,
    WHITE_UV,
    SeegRecording,
    gamma_course,
    gamma_spectrum,
    slow_course,
)

WINDOW_S = 1.0
CELL_S, CELLS = 0.05, 19  # to .95 s
FREEDOM = 8.0  # 2 B T of a cell
SLOW_HZ = (1.0, 25.0)


def cell_means(courses: np.ndarray) -> np.ndarray:
    """Means over the cells of courses (..., T >= 950): (..., 19)."""
    length = round(CELL_S * RATE_HZ)
    return courses[..., : CELLS * length].reshape(*courses.shape[:-1], CELLS, length).mean(-1)


def gamma_energy(windows: np.ndarray) -> np.ndarray:
    """Energy in 70-150 Hz of windows (n, C, T) uV by cell: (n, C, 19)."""
    samples = windows.shape[-1]
    length = fft.next_fast_len(2 * samples, real=True)
    bins = fft.rfft(windows - windows.mean(-1, keepdims=True), length, axis=-1)
    f = np.fft.rfftfreq(length, 1 / RATE_HZ)
    bins[..., (f < GAMMA_HZ[0]) | (f > GAMMA_HZ[1])] = 0
    return cell_means(np.square(fft.irfft(bins, length, axis=-1)[..., :samples]))


def gamma_scores(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """-nu/2 sum [ln v + E/v] over informative contacts and cells: (n, words)."""
    speaker, snr = recording.speaker, recording.options["snr"]
    told = np.flatnonzero(speaker.implant.weights)
    inside = integral(unit_variance(gamma_spectrum, RATE_HZ), *GAMMA_HZ)
    noise = speaker.noise_uv2()[told]
    time_s = np.arange(round(WINDOW_S * RATE_HZ)) / RATE_HZ
    energy = gamma_energy(windows[:, told])
    found = []
    for word in task_words(recording):
        growth = cell_means(np.exp(gamma_course(speaker, word, time_s)[told]))
        expected = noise[:, None] * (1 + RHO * snr * inside * growth)
        ratio = energy / expected
        found.append(-FREEDOM / 2 * (np.log(expected).sum() + ratio.sum((1, 2))))
    return np.stack(found, 1)


def slow_scores(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Matched filters in 1-25 Hz, whitened by the spectrum of the background: (n, words)."""
    speaker, snr = recording.speaker, recording.options["snr"]
    time_s = np.arange(windows.shape[-1]) / RATE_HZ
    gain = SLOW_GAIN * np.sqrt(snr) * speaker.amplitudes[:, None]
    words = task_words(recording)
    templates = np.stack([gain * slow_course(speaker, word, time_s) for word in words])
    z, y = _whitened(recording, templates), _whitened(recording, windows)
    return y @ z.T - np.square(z).sum(1) / 2


def _whitened(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Bins of 1-25 Hz in units of the noise: (n, C, T) uV -> (n, D) real."""
    speaker, samples = recording.speaker, windows.shape[-1]
    f = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    kept = (f >= SLOW_HZ[0]) & (f <= SLOW_HZ[1])
    white = 2 * WHITE_UV**2 / RATE_HZ * np.eye(len(speaker.amplitudes))
    density = speaker.background()(f[kept])[:, None, None] * speaker.covariance() + white
    bins = np.fft.rfft(windows, axis=-1)[..., kept].transpose(2, 1, 0)  # (F, C, n)
    found = np.linalg.solve(np.linalg.cholesky(density), bins)
    flat = (found * (2 / np.sqrt(samples * RATE_HZ))).transpose(2, 0, 1).reshape(len(windows), -1)
    return np.concatenate([flat.real, flat.imag], 1)


def task_words(recording: SeegRecording) -> np.ndarray:
    """Gestures of the words of the task: (words, 4)."""
    n_words = recording.options["n_words"]
    return lexicon(recording.place.seed, n_words)[:n_words]


def contacts_of(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Windows of the contacts: sums and differences of neighbours (n, 2 P, T) lose nothing."""
    if not recording.options["bipolar"]:
        return windows
    return np.linalg.pinv(recording.mixing()) @ windows


def word_scores(recording: SeegRecording, windows: np.ndarray) -> dict[str, np.ndarray]:
    """Log-likelihoods of the words for windows (n, C, 1000) uV from the onset on.

    Returns:
        gamma, slow, both: (n, words) each.
    """
    windows = contacts_of(recording, windows)
    gamma, slow = gamma_scores(recording, windows), slow_scores(recording, windows)
    return {"gamma": gamma, "slow": slow, "both": gamma + slow}


def spoken_windows(recording: SeegRecording, limit: int | None = None) -> np.ndarray:
    """Windows of 1 s from the onset of the first words on: (n, C, 1000) uV."""
    signal, length = recording.signal_uv(), round(WINDOW_S * RATE_HZ)
    onsets = [item.onset for item in recording.spoken[:limit]]
    return np.stack([signal[:, onset : onset + length] for onset in onsets])


@dataclass
class Heard:
    """Shares of words found by each kind of evidence, and of how many."""

    gamma: float
    slow: float
    both: float
    n: int


def observe(subjects: Sequence[Sequence[SeegRecording]], limit: int) -> Heard:
    """Read real trials, as many of each subject; ties share the credit.

    Args:
        subjects: runs of the task of each subject; only as many as needed are made.
        limit: trials in all.
    """
    right, total = dict.fromkeys(("gamma", "slow", "both"), 0.0), 0
    for recordings in subjects:
        wanted = -(-limit // len(subjects))
        for recording in recordings:
            if wanted <= 0:
                break
            windows = spoken_windows(recording, wanted)
            words = np.array([item.word for item in recording.spoken[: len(windows)]])
            for name, scores in word_scores(recording, windows).items():
                right[name] += credit(scores, words)
            wanted, total = wanted - len(words), total + len(words)
    return Heard(**{name: share / total for name, share in right.items()}, n=total)

"""Observer of mode `seeg`: likelihoods of high gamma and slow potential, the onset of a word known.

High gamma is read as the energy of cells of 50 ms in 70-150 Hz, taken as chi-squared; the slow
potential by matched filters, whitened by the background. Contacts are taken as independent in high
gamma, so that this is no strict bound; no decoder that was measured passed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from ....errors import UserError
from ..noise import integral, unit_variance
from ..tie_credit import tie_credit
from .gestures import lexicon
from .recording import (
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

if TYPE_CHECKING:
    from .. import Simulated

WINDOW_S = 1.0  # from the onset of a word, which lasts 0.76 s
CELL_S, CELLS = 0.05, 19  # to .95 s
FREEDOM = 8.0  # degrees of freedom of the energy of a cell: 2 x 80 Hz x 0.05 s
SLOW_HZ = (1.0, 25.0)


def cell_means(courses: np.ndarray) -> np.ndarray:
    """Return means over the cells of courses (..., T >= 950): (..., 19)."""
    length = round(CELL_S * RATE_HZ)
    return courses[..., : CELLS * length].reshape(*courses.shape[:-1], CELLS, length).mean(-1)


def gamma_energy(windows: np.ndarray) -> np.ndarray:
    """Return the energy in 70-150 Hz of windows (n, C, T) uV by cell: (n, C, 19)."""
    samples = windows.shape[-1]
    length = scipy.fft.next_fast_len(2 * samples, real=True)
    bins = scipy.fft.rfft(windows - windows.mean(-1, keepdims=True), length, axis=-1)
    f = np.fft.rfftfreq(length, 1 / RATE_HZ)
    bins[..., (f < GAMMA_HZ[0]) | (f > GAMMA_HZ[1])] = 0
    return cell_means(np.square(scipy.fft.irfft(bins, length, axis=-1)[..., :samples]))


def gamma_scores(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Return -nu/2 sum [ln v + E/v] over informative contacts and cells: (n, words).

    E is the energy of a cell, v what is expected of a word, nu the degrees of freedom.
    """
    speaker, snr = recording.speaker, recording.options["snr"]
    informative = np.flatnonzero(speaker.implant.weights)
    inside = integral(unit_variance(gamma_spectrum, RATE_HZ), *GAMMA_HZ)
    noise = speaker.noise_uv2()[informative]
    time_s = np.arange(round(WINDOW_S * RATE_HZ)) / RATE_HZ
    energy = gamma_energy(windows[:, informative])
    scores = []
    for word in task_words(recording):
        growth = cell_means(np.exp(gamma_course(speaker, word, time_s)[informative]))
        expected = noise[:, None] * (1 + RHO * snr * inside * growth)
        ratio = energy / expected
        scores.append(-FREEDOM / 2 * (np.log(expected).sum() + ratio.sum((1, 2))))
    return np.stack(scores, 1)


def slow_scores(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Return the outputs of matched filters in 1-25 Hz, whitened by the background: (n, words)."""
    speaker, snr = recording.speaker, recording.options["snr"]
    time_s = np.arange(windows.shape[-1]) / RATE_HZ
    gain = SLOW_GAIN * np.sqrt(snr) * speaker.amplitudes[:, None]
    words = task_words(recording)
    templates = np.stack([gain * slow_course(speaker, word, time_s) for word in words])
    z, y = _whitened(recording, templates), _whitened(recording, windows)
    return y @ z.T - np.square(z).sum(1) / 2


def _whitened(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Return bins of 1-25 Hz in units of the noise: (n, C, T) uV -> (n, D) real."""
    speaker, samples = recording.speaker, windows.shape[-1]
    f = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    band = (f >= SLOW_HZ[0]) & (f <= SLOW_HZ[1])
    white = 2 * WHITE_UV**2 / RATE_HZ * np.eye(len(speaker.amplitudes))
    density = speaker.background()(f[band])[:, None, None] * speaker.covariance() + white
    bins = np.fft.rfft(windows, axis=-1)[..., band].transpose(2, 1, 0)  # (F, C, n)
    white_bins = np.linalg.solve(np.linalg.cholesky(density), bins)
    flat = (
        (white_bins * (2 / np.sqrt(samples * RATE_HZ))).transpose(2, 0, 1).reshape(len(windows), -1)
    )
    return np.concatenate([flat.real, flat.imag], 1)


def task_words(recording: SeegRecording) -> np.ndarray:
    """Return the gestures of the words of the task: (words, 4)."""
    n_words = recording.options["n_words"]
    return lexicon(recording.place.seed, n_words)[:n_words]


def contacts_of(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Return windows of the contacts; sums and differences of neighbours lose nothing of them."""
    if not recording.options["bipolar"]:
        return windows
    return np.linalg.pinv(recording.mixing()) @ windows


def word_scores(recording: SeegRecording, windows: np.ndarray) -> dict[str, np.ndarray]:
    """Return log-likelihoods of the words for windows (n, C, 1000) uV from the onset on.

    Returns:
        gamma, slow, both: (n, words) each.
    """
    windows = contacts_of(recording, windows)
    gamma, slow = gamma_scores(recording, windows), slow_scores(recording, windows)
    return {"gamma": gamma, "slow": slow, "both": gamma + slow}


def spoken_windows(recording: SeegRecording, limit: int | None = None) -> np.ndarray:
    """Return windows of 1 s from the onset of the first words on: (n, C, 1000) uV."""
    signal, length = recording.signal_uv(), round(WINDOW_S * RATE_HZ)
    onsets = [item.onset for item in recording.spoken[:limit]]
    return np.stack([signal[:, onset : onset + length] for onset in onsets])


@dataclass
class WordAccuracy:
    """Shares of words that are right by each kind of evidence, and the number of trials."""

    gamma: float
    slow: float
    both: float
    n: int


def observe(subjects: Sequence[Sequence[SeegRecording]], limit: int) -> WordAccuracy:
    """Read real trials, as many of each subject; ties share the credit.

    Args:
        subjects: runs of the task of each subject; only as many as needed are made.
        limit: trials in all.
    """
    right, total = dict.fromkeys(("gamma", "slow", "both"), 0.0), 0
    for recordings in subjects:
        left = -(-limit // len(subjects))
        for recording in recordings:
            if left <= 0:
                break
            windows = spoken_windows(recording, left)
            words = np.array([item.word for item in recording.spoken[: len(windows)]])
            for name, scores in word_scores(recording, windows).items():
                right[name] += float(tie_credit(scores, words).sum())
            left, total = left - len(words), total + len(words)
    return WordAccuracy(**{name: share / total for name, share in right.items()}, n=total)


def log_likelihoods(recording: SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Return those of every word of the task for windows of 1 s from the onset on: (n, words)."""
    return word_scores(recording, windows)["both"]


def observe_study(study: Simulated, snr: float, draws: int) -> tuple[float, int]:
    """Return the accuracy of both kinds of evidence on trials of a study, and their number.

    Raises:
        UserError: the study has no trials.
    """
    subjects: dict[int, list[SeegRecording]] = {}
    for recording in study.at(snr):
        if isinstance(recording, SeegRecording) and not recording.free:
            subjects.setdefault(recording.place.subject, []).append(recording)
    if not subjects:
        raise UserError("simulated: part=free has no trials to observe; use part=task or part=all")
    accuracy = observe(list(subjects.values()), draws)
    return accuracy.both, accuracy.n

"""Ideal observer of mode `listening`: finds the response to a window among candidates.

It knows the response of a person to every candidate, and the spectra of the noise. In units of the
noise the responses are points z_i, a window is a point y = z_i + standard normal, and the score of
a candidate is z_j.y - |z_j|^2 / 2. Exact within 1-15 Hz for the Gaussian model without artefacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from ..head import alpha_patterns
from ..nuisance import WHITE_UV
from ..random_streams import Place
from ..tie_credit import tie_credit
from .recording import WINDOW_S, Listener, ListeningRecording

if TYPE_CHECKING:
    from .. import Simulated

BAND_HZ = (1.0, 15.0)  # the response has little power above
TEST_SHARE = 0.3  # of the stories, the last ones: those that a decoder would be tested on


def whitened(listener: Listener, windows: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return bins of 1-15 Hz in units of the noise: windows (n, C, N) uV -> (n, D) real."""
    samples = windows.shape[-1]
    f = np.fft.rfftfreq(samples, 1 / rate_hz)
    band = (f >= BAND_HZ[0]) & (f <= BAND_HZ[1])
    head, f = listener.head, f[band]
    alpha = head.alpha_density(f, rate_hz)
    patterns = alpha_patterns(listener.electrodes)
    density = head.spectrum()(f)[:, None, None] * head.covariance
    density = density + alpha[:, None, None] * (patterns.T @ patterns)
    density = density + 2 * WHITE_UV**2 / rate_hz * np.eye(len(listener.electrodes))
    values, vectors = np.linalg.eigh(density)
    root = (vectors / np.sqrt(values)[:, None]) @ vectors.swapaxes(1, 2)
    bins = np.fft.rfft(windows, axis=-1)[..., band].transpose(2, 1, 0)  # (F, C, n)
    points = (root @ bins * (2 / np.sqrt(samples * rate_hz))).transpose(2, 0, 1)
    flat = points.reshape(len(windows), -1)
    return np.concatenate([flat.real, flat.imag], 1)


def cut(signal: np.ndarray, starts: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return windows of 3 s of a signal (C, T) from some samples on: (n, C, N)."""
    length = round(WINDOW_S * rate_hz)
    return np.stack([signal[:, s : s + length] for s in starts])


def draw_scores(gram: np.ndarray, true: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw the scores of all candidates for windows with noise.

    Args:
        gram: (V, V) scalar products of the candidates' points.
        true: (n,) which candidate each window is of.
        rng: draws the noise.

    Returns:
        (n, V) scores z_j.y - |z_j|^2 / 2.
    """
    # Scores need the noise along the candidates only, whose covariance is the Gram matrix: V
    # numbers a window instead of thousands. Where it is singular it has no Cholesky factor.
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(values, 0))
    noise = rng.standard_normal((len(true), len(gram))) @ root.T
    return gram[true] + noise - gram.diagonal() / 2


def log_likelihoods(recording: ListeningRecording, windows: np.ndarray) -> np.ndarray:
    """Return those of every word window of the story, for windows of 3 s: (n, K)."""
    listener, rate = recording.listener(), recording.rate_hz
    responses = cut(recording.response(), recording.word_windows(), rate)
    z = whitened(listener, responses, rate)
    return whitened(listener, windows, rate) @ z.T - np.square(z).sum(1) / 2


def observe(
    groups: Sequence[Sequence[ListeningRecording]], draws: int, rng: Generator
) -> tuple[float, int]:
    """Return the share of windows that are found among all of a subject's, and the draws made.

    Args:
        groups: recordings with the candidate windows, one sequence per subject.
        draws: of windows in all, shared by the subjects.
        rng: draws the noise.
    """
    right, total = 0.0, 0
    for recordings in groups:
        listener, rate = recordings[0].listener(), recordings[0].rate_hz
        parts = [cut(r.response(), r.word_windows(), rate) for r in recordings]
        z = whitened(listener, np.concatenate(parts), rate)
        each = max(1, draws // len(groups))
        true = np.arange(each) % len(z)
        right += float(tie_credit(draw_scores(z @ z.T, true, rng), true).sum())
        total += each
    return right / total, total


def observe_study(study: Simulated, snr: float, draws: int) -> tuple[float, int]:
    """Return the accuracy on the last 30 % of the stories of a study, and the draws made."""
    stories = study.options["n_runs"]
    first = min(stories - 1, round((1 - TEST_SHARE) * stories))
    groups: dict[int, list[ListeningRecording]] = {}
    for recording in study.at(snr):
        assert isinstance(recording, ListeningRecording)
        if recording.place.session == 0 and recording.place.run >= first:
            groups.setdefault(recording.place.subject, []).append(recording)
    return observe(list(groups.values()), draws, Place(study.seed, study.mode).stream("study", 9))

"""A plain decoder of the listening mode: ridge regression from the signal to the band envelopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, resample_poly, sosfiltfilt

from bm.studies.simulated.listening.response import band_envelopes

RATE_HZ = 25  # of signal and envelopes
LAGS = range(11)  # 0 to 400 ms after the sound


@dataclass
class Heard:
    """One story as heard by one subject: lagged signal (T, C * 11), envelopes (T, 8), words."""

    signal: np.ndarray
    envelope: np.ndarray
    words: np.ndarray


def heard(recording) -> Heard:
    """Signal in 1-10 Hz and envelopes of a recording, both at 25 Hz."""
    rate = round(recording.rate_hz)
    sos = butter(2, (1, 10), "bandpass", fs=rate, output="sos")
    signal = resample_poly(sosfiltfilt(sos, recording.signal_uv(), axis=1), RATE_HZ, rate, axis=1)
    envelope = resample_poly(band_envelopes(recording.story.audio), 1, 4, axis=1)
    count = min(signal.shape[1], envelope.shape[1])
    padded = np.pad(signal[:, :count], ((0, 0), (0, len(LAGS))))
    lagged = np.concatenate([padded[:, lag : lag + count] for lag in LAGS])
    words = np.round(recording.word_windows() / rate * RATE_HZ).astype(int)
    return Heard(lagged.T, envelope[:, :count].T, words[words + 75 <= count])


def retrieve(train: Sequence[Heard], test: Sequence[Heard], shift: int = 0) -> dict[str, float]:
    """Correlation with the envelopes and retrieval of 3 s windows at words among all of them.

    Args:
        shift: pairs training signals with the envelopes of other stories, which tell nothing.
    """
    others = [train[(k + shift) % len(train)] for k in range(len(train))]
    counts = [min(len(a.signal), len(b.signal)) for a, b in zip(train, others, strict=True)]
    x = np.concatenate([a.signal[:n] for a, n in zip(train, counts, strict=True)])
    y = np.concatenate([b.envelope[:n] for b, n in zip(others, counts, strict=True)])
    x_mean, x_sd, y_mean = x.mean(0), x.std(0), y.mean(0)
    z = (x - x_mean) / x_sd
    weights = np.linalg.solve(z.T @ z + 0.1 * len(z) * np.eye(z.shape[1]), z.T @ (y - y_mean))
    guesses = [((s.signal - x_mean) / x_sd) @ weights for s in test]
    pairs = zip(guesses, test, strict=True)
    r = np.mean(
        [
            [np.corrcoef(g, e)[0, 1] for g, e in zip(a.T, s.envelope.T, strict=True)]
            for a, s in pairs
        ]
    )
    rebuilt = [g[w : w + 75] for g, s in zip(guesses, test, strict=True) for w in s.words]
    true = [s.envelope[w : w + 75] for s in test for w in s.words]

    def unit(windows: list[np.ndarray]) -> np.ndarray:
        flat = np.stack([(w - w.mean(0)).ravel() for w in windows])
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    scores = unit(rebuilt) @ unit(true).T
    rank = (scores > scores.diagonal()[:, None]).sum(1)
    top = {f"top{k}": float((rank < k).mean()) for k in (1, 10)}
    return {"r": float(r), **top, "n": len(true)}

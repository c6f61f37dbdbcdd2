"""Retrieval of speech by the ideal observer: top-k accuracy on the windows of a decoder.

It ranks the decoder's own candidates for the windows that the decoder is tested on, so that both
accuracies can stand in one table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .observer import draw_scores, whitened
from .recording import ListeningRecording


@dataclass(frozen=True)
class Speech:
    """A stretch of a story: name of its run, first moment."""

    run: str
    start_s: float


@dataclass(frozen=True)
class Heard:
    """Test windows and their candidates.

    Attributes:
        subject: (N,) who heard each window, as named in the identity of a recording.
        truth: (N,) place of its own segment among the candidates.
        candidates: the V segments.
        duration_s: of the windows.
    """

    subject: np.ndarray
    truth: np.ndarray
    candidates: Sequence[Speech]
    duration_s: float


def rank_shares(
    recordings: Sequence[ListeningRecording],
    heard: Heard,
    tops: Sequence[int],
    draws: int,
    rng: Generator,
) -> dict[int, float]:
    """Return the share of windows whose own segment is among the `k` likeliest, for `tops`.

    Args:
        recordings: of the study, with every story of every person who was tested.
        heard: windows and candidates; every person is asked about all candidates.
        tops: values of k.
        draws: of the noise, shared by the windows; each window has one at least.
        rng: draws the noise.
    """
    places = {(r.id.subject, r.id.run): r for r in recordings}
    each = max(1, draws // max(1, len(heard.truth)))
    shares: dict[int, list[np.ndarray]] = {k: [] for k in tops}
    for subject in np.unique(heard.subject):
        z = _expected(places, str(subject), heard)
        true = np.repeat(heard.truth[heard.subject == subject], each)
        scores = draw_scores(z @ z.T, true, rng)
        for k, credit in top_credits(scores, true, tops).items():
            shares[k].append(credit)
    return {k: float(np.concatenate(parts).mean()) for k, parts in shares.items()}


def _expected(
    places: Mapping[tuple[str, str], ListeningRecording], subject: str, heard: Heard
) -> np.ndarray:
    """Return the whitened response of a person to every candidate: (V, D)."""
    responses: dict[str, np.ndarray] = {}
    windows = []
    for speech in heard.candidates:
        recording = places[subject, speech.run]
        if speech.run not in responses:
            responses[speech.run] = recording.response()
        start = round(speech.start_s * recording.rate_hz)
        length = round(heard.duration_s * recording.rate_hz)
        window = responses[speech.run][:, start : start + length]
        # A window at the end of a story is filled up with silence.
        windows.append(np.pad(window, ((0, 0), (0, length - window.shape[1]))))
    return whitened(recording.listener(), np.stack(windows), recording.rate_hz)


def top_credits(scores: np.ndarray, true: np.ndarray, tops: Sequence[int]) -> dict[int, np.ndarray]:
    """Return whether the true candidate is among the best: (n,) from 0 to 1 for each of `tops`.

    A tie shares its places.

    Args:
        scores: (n, V).
        true: (n,) places of the true ones.
        tops: how many of the best count.
    """
    target = scores[np.arange(len(true)), true][:, None]
    # The tolerances of `tie_credit`.
    same = np.isclose(scores, target, rtol=1e-12, atol=1e-9)
    better = ((scores > target) & ~same).sum(1)
    return {k: np.clip((k - better) / same.sum(1), 0, 1) for k in tops}

"""The ideal observer of retrieval: ranks what was heard among all candidates (section 8).

It knows the response of every person to every segment and the spectra of the noise, and hears the
windows that a decoder is tested on. Exact within 1-15 Hz for the Gaussian model without artefacts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .listening import ListeningRecording, whitened


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
    """Share of windows whose own segment is among the `k` likeliest, for each k of `tops`.

    Args:
        recordings: of the study, with every story of every person who was tested.
        heard: windows and candidates; every person is asked about all candidates.
        draws: of the noise, shared by the windows; each window has one at least.
        rng: draws the noise.
    """
    known = {(r.id.subject, r.id.run): r for r in recordings}
    each = max(1, draws // max(1, len(heard.truth)))
    shares: dict[int, list[np.ndarray]] = {k: [] for k in tops}
    for subject in np.unique(heard.subject):
        z = _expected(known, str(subject), heard)
        gram = z @ z.T
        values, vectors = np.linalg.eigh(gram)
        root = vectors * np.sqrt(np.maximum(values, 0))
        true = np.repeat(heard.truth[heard.subject == subject], each)
        noise = rng.standard_normal((len(true), len(z))) @ root.T
        scores = gram[true] + noise - gram.diagonal() / 2
        for k, credit in top_credits(scores, true, tops).items():
            shares[k].append(credit)
    return {k: float(np.concatenate(parts).mean()) for k, parts in shares.items()}


def _expected(
    known: Mapping[tuple[str, str], ListeningRecording], subject: str, heard: Heard
) -> np.ndarray:
    """Whitened response of a person to every candidate: (V, D)."""
    responses: dict[str, np.ndarray] = {}
    windows = []
    for speech in heard.candidates:
        recording = known[subject, speech.run]
        if speech.run not in responses:
            responses[speech.run] = recording.response()
        start = round(speech.start_s * recording.rate_hz)
        length = round(heard.duration_s * recording.rate_hz)
        window = responses[speech.run][:, start : start + length]
        windows.append(np.pad(window, ((0, 0), (0, length - window.shape[1]))))
    return whitened(recording.listener(), np.stack(windows), recording.rate_hz)


def top_credits(scores: np.ndarray, true: np.ndarray, tops: Sequence[int]) -> dict[int, np.ndarray]:
    """Whether the true candidate is among the best: (n,) from 0 to 1; a tie shares its places.

    Args:
        scores: (n, V).
        true: (n,) places of the true ones.
        tops: how many of the best count.
    """
    own = scores[np.arange(len(true)), true][:, None]
    same = np.isclose(scores, own, rtol=1e-12, atol=1e-9)
    better = ((scores > own) & ~same).sum(1)
    return {k: np.clip((k - better) / same.sum(1), 0, 1) for k in tops}

"""The observers of the modes on a whole study (simulated.md section 8): accuracy and draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError
from . import background, listening, motor, reading, reading_observer, seeg, seeg_observer
from .simulation import SimulatedRecording
from .streams import Place

if TYPE_CHECKING:
    from . import Simulated

Observer = Callable[["Simulated", float, int], "tuple[float, int]"]


def _rng(study: Simulated) -> np.random.Generator:
    return Place(study.seed, study.mode).stream("study", 9)


def observe_motor(study: Simulated, snr: float, n: int) -> tuple[float, int]:
    """Ideal observer of stationary Gaussian trials of all subjects and sessions."""
    places = {(r.place.subject, r.place.session): r for r in study.at(snr)}
    pairs = []
    for recording in places.values():
        subject = motor.draw_subject(recording.place, recording.channels)
        session = motor.draw_session(recording.place, subject, recording.channels, snr)
        pairs.append((subject, session))
    accuracy, total = motor.observe(pairs, n, _rng(study))
    return accuracy, total


def observe_background(study: Simulated, severity: float, n: int) -> tuple[float, int]:
    """Bound of any decoder of one recording: the likelihood ratio of the latent."""
    found = background.observe(severity, max(n, 200_000), _rng(study))
    return found["accuracy"], found["n"]


def observe_listening(study: Simulated, snr: float, n: int) -> tuple[float, int]:
    """Candidates are the word windows of the last 30 % of the stories."""
    stories = study.options["n_runs"]
    first = min(stories - 1, round(0.7 * stories))
    groups: dict[int, list[listening.ListeningRecording]] = {}
    for recording in study.at(snr):
        assert isinstance(recording, listening.ListeningRecording)
        if recording.place.session == 0 and recording.place.run >= first:
            groups.setdefault(recording.place.subject, []).append(recording)
    return listening.observe(list(groups.values()), n, _rng(study))


def observe_reading(study: Simulated, snr: float, n: int) -> tuple[float, int]:
    """Known filters read sentences among ten of their word count."""
    made = [r for r in study.at(snr) if isinstance(r, reading.ReadingRecording)]
    found = reading_observer.observe(made, n, _rng(study))
    return found.sentence, found.n_sentences


def observe_seeg(study: Simulated, snr: float, n: int) -> tuple[float, int]:
    """Known filters read the words of trials from high gamma and slow potential together."""
    found: dict[int, list[seeg.SeegRecording]] = {}
    for recording in study.at(snr):
        if isinstance(recording, seeg.SeegRecording) and not recording.free:
            found.setdefault(recording.place.subject, []).append(recording)
    if not found:
        raise UserError("simulated: part=free has no trials to observe; use part=task or part=all")
    heard = seeg_observer.observe(list(found.values()), n)
    return heard.both, heard.n


OBSERVERS: dict[str, Observer] = {
    "motor": observe_motor,
    "background": observe_background,
    "listening": observe_listening,
    "reading": observe_reading,
    "seeg": observe_seeg,
}


def score_trials(recording: motor.MotorRecording, windows: np.ndarray) -> np.ndarray:
    """Of the four classes, for windows of 3-6 s after the cross: (n, 4)."""
    subject = motor.draw_subject(recording.place, recording.channels)
    snr = recording.options["snr"]
    session = motor.draw_session(recording.place, subject, recording.channels, snr)
    matrices = motor.spectral_matrices(subject, session, motor.FREQUENCIES)
    return motor.log_likelihoods(matrices, motor.window_bins(windows))


def score_story(recording: listening.ListeningRecording, windows: np.ndarray) -> np.ndarray:
    """Of every word window of the story, for windows of 3 s: (n, K)."""
    listener, rate = recording.listener(), recording.rate_hz
    heard = listening.cut(recording.response(), recording.word_windows(), rate)
    z = listening.whitened(listener, heard, rate)
    return listening.whitened(listener, windows, rate) @ z.T - np.square(z).sum(1) / 2


def score_spoken(recording: seeg.SeegRecording, windows: np.ndarray) -> np.ndarray:
    """Of every word of the task, for windows of 1 s from the (true) onset on: (n, words)."""
    return seeg_observer.word_scores(recording, windows)["both"]


#: mode -> log-likelihoods of windows (n, C, T) uV of a recording: (n, K).
SCORES: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "motor": score_trials,
    "listening": score_story,
    "reading": reading_observer.window_scores,
    "seeg": score_spoken,
}


def log_likelihoods(recording: SimulatedRecording, windows: np.ndarray) -> np.ndarray:
    """What the observer thinks of windows (n, C, T) uV: (n, K); K is said by the mode."""
    mode = recording.place.mode
    if mode not in SCORES:
        raise UserError(f"mode {mode} has no observer of single windows")
    return SCORES[mode](recording, windows)

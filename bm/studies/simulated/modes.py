"""Modes of the simulated study: what tells one from another, in one record each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .background.recording import BackgroundRecording
from .listening import recording as listening_recording
from .listening.recording import ListeningRecording
from .motor import recording as motor_recording
from .motor.recording import MotorRecording
from .reading.recording import ReadingRecording
from .recording import SimulatedRecording
from .seeg.recording import WHITE_UV, SeegRecording


@dataclass(frozen=True)
class Mode:
    """A mode of the study.

    Attributes:
        recording: class of its recordings.
        observed: kind of the events that its observer decodes; its accuracy says nothing about
            other windows.
        options: its options beside those of all modes, with their values; None = the preset's.
        nuisance: settings that differ from the defaults of `Nuisance`.
    """

    recording: type[SimulatedRecording]
    observed: str
    options: Mapping[str, Any]
    nuisance: Mapping[str, Any] = field(default_factory=dict)


MODES = {
    "motor": Mode(
        MotorRecording,
        "trial",
        {"n_trials": None, "channels": list(motor_recording.CHANNELS)},
    ),
    # No choice of channels: a pair of subjects has the cap that is its turn.
    "background": Mode(BackgroundRecording, "block", {"duration_s": None, "severity": 1.0}),
    "listening": Mode(
        ListeningRecording,
        "word",
        {
            "n_sentences": None,
            "n_words": None,
            "rate_hz": None,
            "channels": list(listening_recording.CHANNELS),
            "kind": "eeg",
            "clip": "story",
        },
    ),
    "reading": Mode(
        ReadingRecording,
        "sentence",
        {"n_sentences": None, "layout": None, "timing": "natural", "signal": "waves"},
        {"blinks_per_min": 4.0},  # half as many as in the other modes
    ),
    "seeg": Mode(
        SeegRecording,
        "trial",
        {
            "n_words": None,
            "n_trials": None,
            "n_free": None,
            "free_s": None,
            # Bounds of the number of shafts, and of contacts on each, of a subject.
            "shafts": [3, 5],
            "contacts": [6, 9],
            "bipolar": False,
            "phonemes": False,
            "part": "all",
        },
        {
            "line_uv": 4.0,
            "drift_uv": 20.0,
            "harmonics": (1.0, 0.3, 0.2),
            "white_uv": WHITE_UV,
            "artefacts": False,  # of the scalp: no eye, no muscle reaches the depth
        },
    ),
}

"""Observers of the modes: they know every parameter of a study, never the label.

Their accuracy is what a decoder can reach (a bound in motor, background and listening), so that
"does it learn" is a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError
from .background import observer as background
from .listening import observer as listening
from .motor import observer as motor
from .reading import observer as reading
from .recording import SimulatedRecording
from .seeg import observer as seeg

if TYPE_CHECKING:
    from . import Simulated

#: mode -> (study, snr or severity, draws) -> accuracy on the study, and the draws it rests on.
OBSERVERS: dict[str, Callable[[Simulated, float, int], tuple[float, int]]] = {
    "motor": motor.observe_study,
    "background": background.observe_study,
    "listening": listening.observe_study,
    "reading": reading.observe_study,
    "seeg": seeg.observe_study,
}
# The recording is of the mode's own class, which the type of a dictionary cannot say.
#: mode -> (recording, windows (n, C, T) uV) -> log-likelihoods (n, K).
LIKELIHOODS: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "motor": motor.log_likelihoods,
    "listening": listening.log_likelihoods,
    "reading": reading.log_likelihoods,
    "seeg": seeg.log_likelihoods,
}


def log_likelihoods(recording: SimulatedRecording, windows: np.ndarray) -> np.ndarray:
    """Return the observer's log-likelihoods of windows (n, C, T) uV: (n, K), K by the mode.

    Raises:
        UserError: a mode whose observer looks at whole recordings.
    """
    mode = recording.place.mode
    if mode not in LIKELIHOODS:
        raise UserError(f"mode {mode} has no observer of single windows")
    return LIKELIHOODS[mode](recording, windows)


def interval(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of n draws; it stays within 0 and 1."""
    z = 1.959964
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)

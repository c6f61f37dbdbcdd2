"""A simulated recording: signal and events made on demand from its own keys alone."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mne
import numpy as np
import pandas as pd

from ...data.recording import Recording, RecordingId
from . import nuisance, positions
from .forward import background_covariance, background_spectrum, patch
from .noise import Spectrum, gaussian, long_shaped, scaled, unit_variance
from .nuisance import Nuisance
from .streams import Place

VERSION = 2  # of the equations: a change makes every signal another
ALPHA_WIDTH, ALPHA_SITES, ALPHA_WEIGHTS = 0.6, ("O1", "O2"), (1.0, 0.9)
UV = 1e-6


@dataclass
class Drawn:
    """What was drawn for one recording; `signal` is (C, T) float32 uV."""

    signal: np.ndarray
    events: list[dict[str, Any]]
    truth: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Head:
    """Background of one subject.

    Attributes:
        covariance: (C, C), mean diagonal 1.
        amplitude_uv, exponent: of the aperiodic spectrum.
        alpha_hz, alpha_uv: peak and amplitude of the posterior alpha.
    """

    covariance: np.ndarray
    amplitude_uv: float
    exponent: float
    alpha_hz: float
    alpha_uv: float

    def spectrum(self, shift: float = 0.0) -> Spectrum:
        """Aperiodic spectrum, with the exponent shifted (motor: by session)."""
        return background_spectrum(self.amplitude_uv, self.exponent + shift)


def draw_head(
    place: Place, electrodes: np.ndarray, amplitude_uv: float, amplitude_sd: float, alpha_sd: float
) -> Head:
    """Background of a subject, the same in all of its recordings."""
    rng = place.stream("subject")
    covariance = background_covariance(rng, electrodes)
    draws = rng.standard_normal(4)
    return Head(
        covariance=covariance,
        amplitude_uv=amplitude_uv * float(np.exp(amplitude_sd * draws[0])),
        exponent=1.3 + 0.12 * draws[1],
        alpha_hz=(10.2 if alpha_sd else 10.0) + alpha_sd * draws[2],
        alpha_uv=7.0 * float(np.exp(0.3 * draws[3])),
    )


def alpha_patterns(electrodes: np.ndarray) -> np.ndarray:
    """Patterns of the two alpha sources: (2, C)."""
    sites = positions.unit(ALPHA_SITES)
    pairs = zip(sites, ALPHA_WEIGHTS, strict=True)
    return np.stack([w * patch(electrodes, site, ALPHA_WIDTH) for site, w in pairs])


def add_background(
    place: Place, head: Head, signal: np.ndarray, rate_hz: float, shift: float = 0.0
) -> None:
    """Add the aperiodic background to (C, T) in place."""
    channels, samples = signal.shape
    white = long_shaped(
        lambda block: place.stream("background", block),
        head.spectrum(shift),
        channels,
        samples,
        rate_hz,
    )
    signal += np.linalg.cholesky(head.covariance).astype(np.float32) @ white


def add_alpha(
    place: Place, head: Head, signal: np.ndarray, electrodes: np.ndarray, rate_hz: float
) -> None:
    """Add the two posterior alpha sources to (C, T) in place."""
    spectrum = unit_variance(gaussian(head.alpha_hz, 0.8), rate_hz)
    sources = long_shaped(
        lambda block: place.stream("rhythms", block),
        scaled(spectrum, head.alpha_uv**2),
        2,
        signal.shape[1],
        rate_hz,
    )
    signal += alpha_patterns(electrodes).T.astype(np.float32) @ sources


def add_nuisance(
    place: Place, settings: Nuisance, signal: np.ndarray, electrodes: np.ndarray, rate_hz: float
) -> tuple[list[dict[str, Any]], dict[str, list[int]]]:
    """Line, drift, white noise, artefacts and bad channels; returns artefact events and bads."""
    rng = place.stream("nuisance")
    channels, samples = signal.shape
    signal += nuisance.line(rng, settings, channels, samples, rate_hz)
    signal += nuisance.drift(rng, settings.drift_uv, channels, samples, rate_hz)
    signal += np.float32(settings.white_uv) * rng.standard_normal(signal.shape, dtype=np.float32)
    target = signal if settings.artefacts else np.zeros_like(signal)
    rng = place.stream("artefacts")
    events = nuisance.add_artefacts(rng, target, settings, electrodes, rate_hz)
    bads = nuisance.spoil_channels(rng, signal, settings)
    return (events if settings.artefacts else []), bads


class SimulatedRecording(Recording, ABC):
    """A recording made from equations.

    Args:
        identity: who, when, where.
        place: keys of its random streams.
        options: everything that its signal depends on, plain values.
    """

    def __init__(self, identity: RecordingId, place: Place, options: Mapping[str, Any]) -> None:
        self.id, self.place, self.options = identity, place, dict(options)
        self._events: pd.DataFrame | None = None

    channels: tuple[str, ...]
    rate_hz: float
    net = "positions"  # where the electrodes are named

    @abstractmethod
    def draw(self) -> Drawn:
        """Make the signal, the events and the truth."""

    def signal_uv(self) -> np.ndarray:
        """The signal: (C, T) float32 uV."""
        return self.drawn().signal

    def drawn(self) -> Drawn:
        """Draw, and remember the events (they are small; the signal is not kept)."""
        drawn = self.draw()
        frame = pd.DataFrame(drawn.events)
        frame["simulated"] = True
        self._events = frame.sort_values("start_s", kind="stable", ignore_index=True)
        return drawn

    def load_raw(self) -> mne.io.BaseRaw:
        """The signal in volts with its montage."""
        info = mne.create_info(list(self.channels), self.rate_hz, self.id.kind)
        info["description"] = "simulated"
        raw = mne.io.RawArray(self.signal_uv().astype(np.float64) * UV, info, verbose="error")
        return raw.set_montage(positions.montage(self.channels, self.net), verbose="error")

    def events(self) -> pd.DataFrame:
        """Block, trials, artefacts; every row says `simulated`."""
        if self._events is None:
            self.drawn()
        assert self._events is not None
        return self._events.copy()

    def truth(self) -> dict[str, Any]:
        """What the signal was made from; never read by a solver."""
        return self.drawn().truth

    def fingerprint(self) -> str:
        """All settings, the place and the version of the equations."""
        place = [self.place.seed, self.place.mode, self.id.name]
        return json.dumps([VERSION, place, self.options], sort_keys=True, default=str)

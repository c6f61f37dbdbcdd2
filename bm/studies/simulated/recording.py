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
from . import electrode_positions
from .random_streams import Place

VERSION = 2  # of the equations: a change makes every signal another, and the stores with them
UV = 1e-6


@dataclass
class Drawn:
    """What was drawn for one recording; `signal` is (C, T) float32 uV."""

    signal: np.ndarray
    events: list[dict[str, Any]]
    truth: dict[str, Any] = field(default_factory=dict)


class SimulatedRecording(Recording, ABC):
    """A recording made from equations.

    Args:
        identity: who, when, where.
        place: keys of its random streams.
        options: everything that its signal depends on, plain values.

    Attributes:
        channels: names, in the order of the signal's rows.
        rate_hz: samples per second.
        net: table of `electrode_positions` that places the channels.
    """

    def __init__(self, identity: RecordingId, place: Place, options: Mapping[str, Any]) -> None:
        self.id, self.place, self.options = identity, place, dict(options)
        self._events: pd.DataFrame | None = None

    channels: tuple[str, ...]
    rate_hz: float
    net = "positions"

    @abstractmethod
    def draw(self) -> Drawn:
        """Make the signal, the events and the truth."""

    def signal_uv(self) -> np.ndarray:
        """Return the signal: (C, T) float32 uV."""
        return self.drawn().signal

    def drawn(self) -> Drawn:
        """Draw the recording, and remember its events."""
        # Events are small. The signal is not remembered: preset full of seeg has some 48 GB.
        drawn = self.draw()
        frame = pd.DataFrame(drawn.events)
        frame["simulated"] = True
        self._events = frame.sort_values("start_s", kind="stable", ignore_index=True)
        return drawn

    def load_raw(self) -> mne.io.BaseRaw:
        """Return the signal in volts with its montage."""
        info = mne.create_info(list(self.channels), self.rate_hz, self.id.kind)
        info["description"] = "simulated"
        raw = mne.io.RawArray(self.signal_uv().astype(np.float64) * UV, info, verbose="error")
        montage = electrode_positions.montage(self.channels, self.net)
        return raw.set_montage(montage, verbose="error")

    def events(self) -> pd.DataFrame:
        """Return block, trials or speech, and artefacts; every row says `simulated`."""
        if self._events is None:
            self.drawn()
        assert self._events is not None
        return self._events.copy()

    def truth(self) -> dict[str, Any]:
        """Return what the signal was made from; never read by a solver."""
        return self.drawn().truth

    def fingerprint(self) -> str:
        """Return all settings, the place and the version of the equations, as JSON."""
        place = [self.place.seed, self.place.mode, self.id.name]
        return json.dumps([VERSION, place, self.options], sort_keys=True, default=str)

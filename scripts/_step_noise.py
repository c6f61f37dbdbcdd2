"""Random recordings and features for the step bench: sizes are options, nothing is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import mne
import numpy as np
import pandas as pd

from bm.data.recording import Recording, RecordingId
from bm.features import FEATURES
from bm.features.base import Feature
from bm.studies import STUDIES
from bm.studies.base import Study

AMPLITUDE_V = 20e-6  # of scalp EEG


class NoiseRecording(Recording):
    """White noise of one person under one block, labelled by the parity of its number."""

    def __init__(self, number: int, channels: Sequence[str], rate_hz: float, seconds: float):
        self.id = RecordingId("noise", str(number), "0", "0")
        self.number, self.channels = number, list(channels)
        self.rate_hz, self.seconds = rate_hz, seconds

    def load_raw(self) -> mne.io.BaseRaw:
        """Return noise in volts, with electrodes anywhere on the upper half of a head."""
        rng = np.random.default_rng(self.number)
        shape = len(self.channels), round(self.seconds * self.rate_hz)
        info = mne.create_info(self.channels, self.rate_hz, "eeg")
        raw = mne.io.RawArray(AMPLITUDE_V * rng.standard_normal(shape), info, verbose="error")
        places = np.random.default_rng(0).standard_normal((len(self.channels), 3))
        places[:, 2] = np.abs(places[:, 2])
        # 95 mm: the radius of a head in MNE.
        places *= 0.095 / np.linalg.norm(places, axis=1, keepdims=True)
        positions = dict(zip(self.channels, places, strict=True))
        return raw.set_montage(mne.channels.make_dig_montage(positions, coord_frame="head"))

    def events(self) -> pd.DataFrame:
        """Return the whole recording as one block."""
        row = ("block", 0.0, self.seconds, str(self.number), self.number % 2)
        return pd.DataFrame([row], columns=["kind", "start_s", "duration_s", "uid", "label"])

    def fingerprint(self) -> str:
        """Return all options as text."""
        return json.dumps([self.number, self.channels, self.rate_hz, self.seconds])


@STUDIES.register("noise")
class Noise(Study):
    """White noise.

    Args:
        channels: their names, or how many.
        rate_hz, seconds: of each recording.
        subjects: one recording each.
    """

    name = "noise"
    simulated = True

    def __init__(
        self,
        root: Path | None = None,
        cache: Path | None = None,
        channels: int | Sequence[str] = 4,
        rate_hz: float = 200.0,
        seconds: float = 20.0,
        subjects: int = 2,
    ) -> None:
        super().__init__(root, cache)
        whole = isinstance(channels, int)
        self.channels = [f"S{i:03d}" for i in range(channels)] if whole else list(channels)  # type: ignore[arg-type]
        self.rate_hz, self.seconds, self.n_subjects = rate_hz, seconds, subjects

    def recordings(self) -> Sequence[NoiseRecording]:
        """Return one recording per person."""
        options = self.channels, self.rate_hz, self.seconds
        return [NoiseRecording(number, *options) for number in range(self.n_subjects)]


@FEATURES.register("NoiseVectors")
class NoiseVectors(Feature):
    """A random vector per sample, as wide as the representation it stands for.

    Args:
        dimension: F.
    """

    name = "NoiseVectors"
    kind = "block"
    layout: ClassVar[Literal["sampled"]] = "sampled"
    normalizable = True

    def __init__(self, dimension: int = 1024) -> None:
        super().__init__()
        self.dimension, self.options = dimension, {"dimension": dimension}

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return (samples, F) of each block."""
        rng = np.random.default_rng(0)
        counts = [round(seconds * rate_hz) for seconds in events["duration_s"]]
        return [rng.standard_normal((n, self.dimension), dtype=np.float32) for n in counts]


def study_word(**options: object) -> str:
    """Return the word `dset.studies=` of the command line for one `noise` study."""
    parts = [f"{k}:[{','.join(v)}]" if isinstance(v, list | tuple) else f"{k}:{v}"
             for k, v in options.items()]  # fmt: skip
    return f"dset.studies=[{{study:noise,{','.join(parts)}}}]"

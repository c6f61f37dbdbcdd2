"""Study `simulated`: recordings with known truth, made from equations; no file, no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.recording import RecordingId
from ...errors import UserError
from .. import STUDIES
from ..base import Study
from . import background, listening, motor
from .nuisance import Nuisance
from .options import check_channels, check_names, check_values
from .presets import preset as preset_defaults
from .simulation import SimulatedRecording
from .streams import Place

#: Options of a mode beside those of all modes.
OWN: dict[str, dict[str, Any]] = {
    "motor": {"n_trials": None, "channels": list(motor.CHANNELS)},
    "background": {"duration_s": None, "severity": 1.0},
    "listening": {
        "n_sentences": None,
        "n_words": None,
        "rate_hz": None,
        "channels": list(listening.CHANNELS),
        "kind": "eeg",
    },
}


@STUDIES.register("simulated")
class Simulated(Study):
    """Simulated recordings (simulated.md). Every event row and every table says so.

    Args:
        mode: motor, background or listening.
        preset: tiny, debug, demo or full; sets defaults of the counts.
        seed: of everything that is drawn.
        snr: multiplies the power of what carries the label (background: see `severity`).
        n_subjects, n_sessions, n_runs: counts; None = the preset's.
        artefacts, line_hz, line_uv, drift_uv, flat_channels, noisy_channels: nuisance.
        own: options of the mode: n_trials, channels; duration_s, severity; n_sentences, n_words,
            rate_hz, channels, kind (eeg, meg).
    """

    name = "simulated"
    simulated = True

    def __init__(
        self,
        root: Path | None = None,
        cache: Path | None = None,
        mode: str = "motor",
        preset: str = "debug",
        seed: int = 0,
        snr: float = 1.0,
        n_subjects: int | None = None,
        n_sessions: int | None = None,
        n_runs: int | None = None,
        artefacts: bool = True,
        line_hz: float = 50.0,
        line_uv: float = 2.0,
        drift_uv: float = 8.0,
        flat_channels: int = 0,
        noisy_channels: int = 0,
        **own: Any,
    ) -> None:
        super().__init__(root, cache)
        sizes = preset_defaults(mode, preset)
        check_names(mode, own, OWN[mode], type(self).__init__)
        given = {"n_subjects": n_subjects, "n_sessions": n_sessions, "n_runs": n_runs, **own}
        options = {**OWN[mode], **sizes, **{k: v for k, v in given.items() if v is not None}}
        nuisance = {"line_hz": line_hz, "line_uv": line_uv, "drift_uv": drift_uv}
        bads = {"flat_channels": flat_channels, "noisy_channels": noisy_channels}
        check_values({"seed": seed, "snr": snr, **options, **nuisance, **bads})
        smallest = len(options.get("channels") or background.SETS["clinical19"][1])
        check_channels(smallest, flat_channels, noisy_channels)
        self.mode, self.seed, self.snr = mode, seed, snr
        self.options = options
        self.nuisance = Nuisance(
            artefacts, line_hz, line_uv, drift_uv, flat_channels, noisy_channels
        )

    def recordings(self) -> Sequence[SimulatedRecording]:
        """Subjects x sessions x runs; a larger study begins with the recordings of a smaller."""
        counts = [self.options[name] for name in ("n_subjects", "n_sessions", "n_runs")]
        return [
            self._recording(subject, session, run)
            for subject in range(counts[0])
            for session in range(counts[1])
            for run in range(counts[2])
        ]

    def _recording(self, subject: int, session: int, run: int) -> SimulatedRecording:
        place = Place(self.seed, self.mode, subject, session, run)
        group = f"pair{subject // 2:03d}" if self.mode == "background" else ""
        kind = self.options.get("kind", "eeg")
        identity = RecordingId(
            f"simulated-{self.mode}", f"s{subject:03d}", str(session), str(run), kind, group
        )
        shared: dict[str, Any] = {"nuisance": vars(self.nuisance)}
        if self.mode == "motor":
            names = ("n_trials", "channels")
            own = {name: self.options[name] for name in names}
            return motor.MotorRecording(identity, place, {**shared, **own, "snr": self.snr})
        if self.mode == "listening":
            names = ("n_sentences", "n_words", "rate_hz", "channels")
            own = {name: self.options[name] for name in names}
            heard = listening.ListeningRecording(
                identity, place, {**shared, **own, "snr": self.snr}
            )
            heard.cache = self.cache
            return heard
        layout = list(background.SETS)[(subject // 2) % len(background.SETS)]
        own = {
            "layout": layout,
            "label": background.pair_label(self.seed, subject),
            "severity": self.options["severity"],
            "duration_s": self.options["duration_s"],
        }
        return background.BackgroundRecording(identity, place, {**shared, **own})

    def truth(self, recording: SimulatedRecording) -> Mapping[str, Any]:
        """What a recording was made from; never read by a solver."""
        return recording.truth()

    def observer(
        self, snr: float | None = None, n: int = 2000
    ) -> tuple[float, tuple[float, float]]:
        """Accuracy of the observer that knows every parameter but the label, and its 95 % interval.

        Args:
            snr: at another ratio than the study's (background: another severity).
            n: Monte Carlo draws.
        """
        rng = Place(self.seed, self.mode).stream("study", 9)
        if self.mode == "background":
            severity = self.options["severity"] if snr is None else snr
            found = background.observe(severity, max(n, 200_000), rng)
            return found["accuracy"], interval(found["accuracy"], found["n"])
        if self.mode == "listening":
            return self._observe_listening(self.snr if snr is None else snr, n, rng)
        pairs = []
        for subject in range(self.options["n_subjects"]):
            drawn = motor.draw_subject(Place(self.seed, "motor", subject), self._motor_channels)
            for session in range(self.options["n_sessions"]):
                place = Place(self.seed, "motor", subject, session)
                ratio = self.snr if snr is None else snr
                pairs.append((drawn, motor.draw_session(place, drawn, self._motor_channels, ratio)))
        accuracy, total = motor.observe(pairs, n, rng)
        return accuracy, interval(accuracy, int(total))

    def _observe_listening(
        self, snr: float, n: int, rng: np.random.Generator
    ) -> tuple[float, tuple[float, float]]:
        """Candidates are the word windows of the last 30 % of the stories."""
        stories = self.options["n_runs"]
        first = min(stories - 1, round(0.7 * stories))
        groups = []
        for subject in range(self.options["n_subjects"]):
            made = []
            for run in range(first, stories):
                recording = self._recording(subject, 0, run)
                assert isinstance(recording, listening.ListeningRecording)
                recording.options["snr"] = snr
                made.append(recording)
            groups.append(made)
        accuracy, total = listening.observe(groups, n, rng)
        return accuracy, interval(accuracy, total)

    @property
    def _motor_channels(self) -> tuple[str, ...]:
        return tuple(self.options["channels"])

    def classify(self, recording: SimulatedRecording, windows: np.ndarray) -> np.ndarray:
        """Log-likelihoods for windows (n, C, T) uV of a recording.

        Returns:
            motor: (n, 4), of the classes; listening: (n, K), of the recording's own word windows.
        """
        if isinstance(recording, listening.ListeningRecording):
            return listening.log_likelihoods(recording, windows)
        if self.mode != "motor":
            raise UserError(f"mode {self.mode} has no observer of single windows")
        place = recording.place
        subject = motor.draw_subject(place, self._motor_channels)
        session = motor.draw_session(place, subject, self._motor_channels, self.snr)
        matrices = motor.spectral_matrices(subject, session, motor.FREQUENCIES)
        return motor.log_likelihoods(matrices, motor.window_bins(windows))


def interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n draws."""
    z = 1.959964
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)

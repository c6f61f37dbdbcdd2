"""Study `simulated`: recordings with known truth, made from equations; no file, no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.recording import Kind, RecordingId
from ...errors import UserError, nearest
from .. import STUDIES
from ..base import Study
from . import background, listening, motor, observers, reading, seeg, vocabulary
from .listening_observer import Heard, rank_shares
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
        "clip": "story",
    },
    "reading": {"n_sentences": None, "layout": None, "timing": "natural"},
    "seeg": {
        "n_words": None,
        "n_trials": None,
        "n_free": None,
        "free_s": None,
        "shafts": [3, 5],
        "contacts": [6, 9],
        "bipolar": False,
        "part": "all",
    },
}
#: Events that the observer of a mode decodes; its accuracy says nothing about other windows.
OBSERVED = {
    "motor": "trial",
    "background": "block",
    "listening": "word",
    "reading": "sentence",
    "seeg": "trial",
}
RECORDINGS: dict[str, type[SimulatedRecording]] = {
    "motor": motor.MotorRecording,
    "background": background.BackgroundRecording,
    "listening": listening.ListeningRecording,
    "reading": reading.ReadingRecording,
    "seeg": seeg.SeegRecording,
}
#: Nuisance that differs from the default of the other modes.
NUISANCE: dict[str, dict[str, Any]] = {
    "reading": {"blinks_per_min": 4.0},
    "seeg": {
        "line_uv": 4.0,
        "drift_uv": 20.0,
        "harmonics": (1.0, 0.3, 0.2),
        "white_uv": seeg.WHITE_UV,
        "artefacts": False,  # of the scalp: no eye, no muscle reaches the depth
    },
}


@STUDIES.register("simulated")
class Simulated(Study):
    """Simulated recordings (simulated.md). Every event row and every table says so.

    Args:
        mode: motor, background, listening, reading or seeg.
        preset: tiny, debug, demo or full; sets defaults of the counts.
        seed: of everything that is drawn.
        snr: multiplies the power of what carries the label (background: see `severity`).
        n_subjects, n_sessions, n_runs: counts; None = the preset's.
        artefacts, line_hz, line_uv, drift_uv, flat_channels, noisy_channels: nuisance; None = the
            mode's own (2 and 8 uV; seeg 4 and 20 uV, no artefacts).
        own: options of the mode: n_trials, channels; duration_s, severity; n_sentences, n_words,
            rate_hz, channels, kind (eeg, meg), clip (story, sentence: what a `sound` event spans);
            n_sentences, layout (cap32, hydrocel105), timing (natural, fixed); n_words, n_trials (of
            each word in a run), n_free, free_s, shafts, contacts (two bounds each), bipolar, part
            (all, task, free).
    """

    name = "simulated"
    simulated = True
    checks_options = True

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
        line_uv: float | None = None,
        drift_uv: float | None = None,
        flat_channels: int = 0,
        noisy_channels: int = 0,
        **own: Any,
    ) -> None:
        super().__init__(root, cache)
        sizes = preset_defaults(mode, preset)
        check_names(mode, own, OWN[mode], type(self).__init__)
        given = {"n_subjects": n_subjects, "n_sessions": n_sessions, "n_runs": n_runs, **own}
        options = {**OWN[mode], **sizes, **{k: v for k, v in given.items() if v is not None}}
        nuisance: dict[str, Any] = {"line_hz": line_hz, "line_uv": line_uv, "drift_uv": drift_uv}
        nuisance = {k: v for k, v in nuisance.items() if v is not None}
        bads: dict[str, Any] = {"flat_channels": flat_channels, "noisy_channels": noisy_channels}
        check_values(
            mode, {"seed": seed, "snr": snr, "artefacts": artefacts, **options, **nuisance, **bads}
        )
        check_channels(self._fewest_channels(mode, options), flat_channels, noisy_channels)
        self.mode, self.seed, self.snr = mode, seed, snr
        self.options = options
        self.nuisance = Nuisance(
            **{"artefacts": artefacts, **NUISANCE.get(mode, {}), **nuisance, **bads}
        )

    @staticmethod
    def _fewest_channels(mode: str, options: Mapping[str, Any]) -> int:
        if mode == "seeg":
            return int(options["shafts"][0] * options["contacts"][0])
        return len(options.get("channels") or background.SETS["clinical19"][1])

    @property
    def observed(self) -> str:
        """Kind of the events that `observer` decodes."""
        return OBSERVED[self.mode]

    def recordings(self) -> Sequence[SimulatedRecording]:
        """Subjects x sessions x runs; a larger study begins with the recordings of a smaller.

        Mode seeg has the task-free recordings of a subject after those of the task.
        """
        return [self._recording(*numbers) for numbers in self._places()]

    def _places(self) -> list[tuple[int, int, int]]:
        counts = [self.options[name] for name in ("n_subjects", "n_sessions", "n_runs")]
        part, found = self.options.get("part", "all"), []
        for subject in range(counts[0]):
            if part != "free":
                found += [(subject, s, r) for s in range(counts[1]) for r in range(counts[2])]
            if part != "task":
                free = range(self.options.get("n_free", 0))
                found += [(subject, seeg.FREE_SESSION, run) for run in free]
        return found

    def _recording(
        self, subject: int, session: int, run: int, snr: float | None = None
    ) -> SimulatedRecording:
        place = Place(self.seed, self.mode, subject, session, run)
        group = f"pair{subject // 2:03d}" if self.mode == "background" else ""
        kind: Kind = "seeg" if self.mode == "seeg" else self.options.get("kind", "eeg")
        part = seeg.FREE if session == seeg.FREE_SESSION else str(session)
        name = f"simulated-{self.mode}"
        identity = RecordingId(name, f"s{subject:03d}", part, str(run), kind, group)
        of_study = ("kind", "n_free", "part")  # nothing of a single recording
        own = {name: self.options[name] for name in OWN[self.mode] if name not in of_study}
        options: dict[str, Any] = {"nuisance": vars(self.nuisance), **own}
        if self.mode == "background":
            options["layout"] = list(background.SETS)[(subject // 2) % len(background.SETS)]
            options["label"] = background.pair_label(self.seed, subject)
        else:
            options["snr"] = self.snr if snr is None else snr
        made = RECORDINGS[self.mode](identity, place, options)
        if isinstance(made, listening.ListeningRecording):
            made.cache = self.cache
        return made

    def at(self, snr: float) -> Sequence[SimulatedRecording]:
        """The recordings with the same draws at another signal-to-noise ratio."""
        ids = [(r.place.subject, r.place.session, r.place.run) for r in self.recordings()]
        return [self._recording(*numbers, snr) for numbers in ids]

    def truth(self, recording: SimulatedRecording) -> Mapping[str, Any]:
        """What a recording was made from; never read by a solver."""
        return recording.truth()

    def embedding(self, word: str) -> np.ndarray:
        """The known embedding of a word of mode reading: (16,) float64."""
        if word not in vocabulary.INDEX:
            raise UserError(f"word {word!r} is not read{nearest(word, vocabulary.WORDS)}")
        return vocabulary.semantics(self.seed).embedding[vocabulary.INDEX[word]]

    def observer(
        self, snr: float | None = None, n: int = 2000
    ) -> tuple[float, tuple[float, float]]:
        """Accuracy of the observer that knows every parameter but the label, and its 95 % interval.

        Args:
            snr: at another ratio than the study's (background: another severity).
            n: Monte Carlo draws; sentences that are read (reading), trials (seeg).
        """
        if self.mode == "background":
            level = self.options["severity"] if snr is None else snr
        else:
            level = self.snr if snr is None else snr
        accuracy, total = observers.OBSERVERS[self.mode](self, float(level), n)
        return accuracy, interval(accuracy, total)

    def retrieve(self, heard: Heard, tops: Sequence[int], n: int = 2000) -> dict[int, float]:
        """Top-k accuracy of the ideal observer of mode listening among a decoder's own candidates.

        Args:
            heard: the windows that are ranked, and the candidates.
            tops: values of k.
            n: Monte Carlo draws, shared by the windows.

        Raises:
            UserError: another mode, whose observer ranks no segments.
        """
        made = [r for r in self.recordings() if isinstance(r, listening.ListeningRecording)]
        if not made:
            raise UserError(f"mode {self.mode} has no observer of retrieval; use mode=listening")
        rng = Place(self.seed, self.mode).stream("study", 9)
        return rank_shares(made, heard, tops, n, rng)

    def classify(self, recording: SimulatedRecording, windows: np.ndarray) -> np.ndarray:
        """Log-likelihoods for windows (n, C, T) uV of a recording.

        Returns:
            motor: (n, 4), of the classes; listening: (n, K), of the recording's own word windows;
            reading: (n, 96), of the words, for windows of one fixated word; seeg: (n, words), for
            windows of 1 s from the true onset on.
        """
        return observers.log_likelihoods(recording, windows)


def interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n draws."""
    z = 1.959964
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)

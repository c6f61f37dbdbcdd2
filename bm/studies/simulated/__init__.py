"""Study `simulated`: recordings with known truth, made from equations; no file, no network.

Five modes serve the families: motor imagery, resting background, listening to speech, reading, and
speaking with depth electrodes. A recording is the sum of a 1/f background, rhythms, nuisance, and a
response that carries the label. `snr` multiplies the power of the response alone, so that every
model must be at chance at 0. A folder a mode has its recording and its observer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.recording import Kind, RecordingId
from ...errors import UserError, nearest
from .. import STUDIES
from ..base import Study
from . import observers
from .background.caps import CAPS
from .background.recording import pair_cap, pair_label
from .listening.recording import ListeningRecording
from .listening.retrieval import Heard, rank_shares
from .modes import MODES
from .nuisance import Nuisance
from .options import check_channels, check_names, check_values
from .presets import preset as preset_defaults
from .random_streams import Place
from .reading import vocabulary
from .reading.words import ReadWordsRecording
from .recording import SimulatedRecording
from .seeg.recording import FREE, FREE_SESSION

#: Options of a mode that say which recordings there are, nothing of a single one.
OF_STUDY = ("kind", "n_free", "part", "phonemes")


@STUDIES.register("simulated")
class Simulated(Study):
    """Simulated recordings. Every event row and every table says so.

    Args:
        mode: motor, background, listening, reading or seeg.
        preset: tiny, debug, demo or full; sets defaults of the counts.
        seed: of everything that is drawn.
        snr: multiplies the power of what carries the label (background: see `severity`).
        n_subjects, n_sessions, n_runs: counts; None = the preset's.
        artefacts, line_hz, line_uv, drift_uv, flat_channels, noisy_channels: nuisance; None = the
            mode's own (2 and 8 uV; seeg 4 and 20 uV, no artefacts).
        mode_options: n_trials, channels; duration_s, severity; n_sentences, n_words,
            rate_hz, channels, kind (eeg, meg), clip (story, sentence: what a `sound` event spans);
            n_sentences, layout (cap32, hydrocel105), timing (natural, fixed), signal
            (waves, words: band powers of fixated words); n_words, n_trials (of
            each word in a run), n_free, free_s, shafts, contacts (two bounds each), bipolar,
            phonemes (true: events tell which gestures are made when), part (all, task, free).
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
        **mode_options: Any,
    ) -> None:
        super().__init__(root, cache)
        sizes = preset_defaults(mode, preset)
        check_names(mode, mode_options, MODES[mode].options, type(self).__init__)
        counts = {"n_subjects": n_subjects, "n_sessions": n_sessions, "n_runs": n_runs}
        entries = _without_none({**counts, **mode_options})
        self.options = {**MODES[mode].options, **sizes, **entries}
        nuisance: dict[str, Any] = _without_none(
            {"line_hz": line_hz, "line_uv": line_uv, "drift_uv": drift_uv}
        )
        nuisance |= {"flat_channels": flat_channels, "noisy_channels": noisy_channels}
        shared = {"seed": seed, "snr": snr, "artefacts": artefacts}
        check_values(mode, {**shared, **self.options, **nuisance})
        check_channels(fewest_channels(mode, self.options), flat_channels, noisy_channels)
        self.mode, self.seed, self.snr = mode, seed, snr
        defaults: dict[str, Any] = {"artefacts": artefacts, **MODES[mode].nuisance}
        self.nuisance = Nuisance(**{**defaults, **nuisance})

    @property
    def observed(self) -> str:
        """Return the kind of the events that `observer` decodes."""
        return MODES[self.mode].observed

    def recordings(self) -> Sequence[SimulatedRecording]:
        """Return subjects x sessions x runs; a larger study begins with those of a smaller.

        Mode seeg has the task-free recordings of a subject after those of the task.
        """
        return self.at(self.snr)

    def at(self, snr: float) -> Sequence[SimulatedRecording]:
        """Return the recordings with the same draws at another signal-to-noise ratio."""
        return [self._recording(place, snr) for place in self._places()]

    def _places(self) -> list[Place]:
        n_subjects, n_sessions, n_runs = (
            range(self.options[name]) for name in ("n_subjects", "n_sessions", "n_runs")
        )
        part = self.options.get("part", "all")
        sessions = [] if part == "free" else [(s, r) for s in n_sessions for r in n_runs]
        if part != "task":
            sessions += [(FREE_SESSION, run) for run in range(self.options.get("n_free", 0))]
        return [Place(self.seed, self.mode, p, s, r) for p in n_subjects for s, r in sessions]

    def _recording(self, place: Place, snr: float) -> SimulatedRecording:
        # A pair has one label of each: a split by group cannot unbalance the classes.
        group = f"pair{place.subject // 2:03d}" if self.mode == "background" else ""
        kind: Kind = "seeg" if self.mode == "seeg" else self.options.get("kind", "eeg")
        session = FREE if place.session == FREE_SESSION else str(place.session)
        subject, run = f"s{place.subject:03d}", str(place.run)
        identity = RecordingId(f"simulated-{self.mode}", subject, session, run, kind, group)
        options: dict[str, Any] = {"nuisance": vars(self.nuisance)}
        names = (name for name in MODES[self.mode].options if name not in OF_STUDY)
        options |= {name: self.options[name] for name in names}
        if self.mode == "background":
            # Both of a pair wear one cap: rate and electrodes cannot tell the label.
            options["layout"] = pair_cap(place.subject)
            options["label"] = pair_label(self.seed, place.subject)
        else:
            options["snr"] = snr  # background has its severity instead
        if self.options.get("phonemes"):  # left out elsewhere: recordings stay what they were
            options["phonemes"] = True
        make = MODES[self.mode].recording
        if options.get("signal") == "words":
            make = ReadWordsRecording
        else:  # signatures of stored signals are older than the option
            options.pop("signal", None)
        recording = make(identity, place, options)
        if isinstance(recording, ListeningRecording):
            recording.cache = self.cache
        return recording

    def truth(self, recording: SimulatedRecording) -> Mapping[str, Any]:
        """Return what a recording was made from; never read by a solver."""
        return recording.truth()

    def embedding(self, word: str) -> np.ndarray:
        """Return the known embedding of a word of mode reading: (16,) float64.

        Raises:
            UserError: the word is not in the vocabulary.
        """
        if word not in vocabulary.INDEX:
            raise UserError(f"word {word!r} is not read{nearest(word, vocabulary.WORDS)}")
        return vocabulary.semantics(self.seed).embedding[vocabulary.INDEX[word]]

    def observer(
        self, snr: float | None = None, n: int = 2000
    ) -> tuple[float, tuple[float, float]]:
        """Return the accuracy of the observer of the mode, and its 95 % interval.

        Args:
            snr: at another ratio than the study's (background: another severity).
            n: Monte Carlo draws; sentences that are read (reading), trials (seeg).
        """
        default = self.options["severity"] if self.mode == "background" else self.snr
        level = float(default if snr is None else snr)
        accuracy, total = observers.OBSERVERS[self.mode](self, level, n)
        return accuracy, observers.interval(accuracy, total)

    def retrieve(self, heard: Heard, tops: Sequence[int], n: int = 2000) -> dict[int, float]:
        """Return the top-k accuracy of the ideal observer of mode listening, for each k of `tops`.

        Args:
            heard: the windows that are ranked, and a decoder's own candidates.
            tops: values of k.
            n: Monte Carlo draws, shared by the windows.

        Raises:
            UserError: another mode, whose observer ranks no segments.
        """
        recordings = [r for r in self.recordings() if isinstance(r, ListeningRecording)]
        if not recordings:
            raise UserError(f"mode {self.mode} has no observer of retrieval; use mode=listening")
        # Block 9 is that of the observers: no recording draws from it, so none changes with `n`.
        rng = Place(self.seed, self.mode).stream("study", 9)
        return rank_shares(recordings, heard, tops, n, rng)

    def classify(self, recording: SimulatedRecording, windows: np.ndarray) -> np.ndarray:
        """Return log-likelihoods for windows (n, C, T) uV of a recording.

        Returns:
            motor: (n, 4), of the classes; listening: (n, K), of the recording's own word windows;
            reading: (n, 96), of the words, for windows of one fixated word; seeg: (n, words), for
            windows of 1 s from the true onset on.
        """
        return observers.log_likelihoods(recording, windows)


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    # None stands for a default and would hide the preset's value when merged over it.
    return {name: value for name, value in options.items() if value is not None}


def fewest_channels(mode: str, options: Mapping[str, Any]) -> int:
    """Return the smallest number of channels that a recording of the study can have."""
    if mode == "seeg":
        # Shafts and contacts are drawn between two bounds, of which the first is the lower.
        return int(options["shafts"][0] * options["contacts"][0])
    return len(options.get("channels") or CAPS["clinical19"].channels)

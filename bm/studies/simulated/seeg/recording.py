"""Mode `seeg`: spoken words in depth electrodes.

A word is four gestures. A gesture changes the power of high gamma, and the slow potential, of the
contacts near the centre of speech, in a pattern of its own. Other contacts tell at most that
something is said. Task-free recordings hold words of a larger lexicon, without events: what is
learned from them carries to the task, because the patterns of the gestures are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np

from ..noise import Spectrum, aperiodic, integral, long_shaped, unit_variance
from ..nuisance import Nuisance, drift, line, spoil_channels
from ..random_streams import Place
from ..recording import UV, Drawn, SimulatedRecording
from .gestures import GESTURES, STEP_S, WORD_S, gesture_courses, hann_course, lexicon, name_of
from .shafts import Implant, draw_implant

RATE_HZ = 1000.0
WHITE_UV = 0.3  # sd of the amplifier's noise
AMPLITUDE_UV, CORNER_HZ, HIGH_PASS_HZ, BAND_HZ = 50.0, 3.0, 0.5, (1.0, 200.0)  # of the background
# Power of the high gamma against background and white noise in 70-150 Hz, at snr 1: a linear
# classifier of 12 words is right in .73 of the trials, the observer in all.
RHO = 1.5
GAMMA_HZ, PEAK_HZ, PEAK_WIDTH = (70.0, 150.0), 95.0, 0.3  # width of the logarithm
# High gamma is under 1 % of the variance, so that z-scoring and reconstruction losses hardly see
# it; the slow potential survives both.
GAMMA_GAIN, SLOW_GAIN = 1.5, 0.8
ACTIVE_SHARE, ACTIVE_GAIN = 0.2, (0.4, 0.9)  # contacts that tell of speech, not of the word
TRIAL_S, GO_S = 3.0, 0.5
DELAY_S, DELAY_SD, SOONEST_S, LATEST_S = 0.45, 0.05, 0.25, 0.7  # from go to the voice
GAP_S = (1.0, 3.0)  # between words of a task-free recording
EDGE_S = 1.0  # before the first trial, after the last
FREE = "free"  # session of the task-free recordings
FREE_SESSION = 1000  # their number in the random streams, whatever the number of sessions


@dataclass(frozen=True)
class Speaker:
    """One subject.

    Attributes:
        implant: contacts.
        amplitudes: (C,) uV of the background.
        exponent: of its spectrum.
        gamma: (10, C) change of the log power of high gamma by gesture.
        slow: (10, C) slow potential by gesture, in units of 0.8 sd of the background.
        active: (C,) change of the log power during any word.
    """

    implant: Implant
    amplitudes: np.ndarray
    exponent: float
    gamma: np.ndarray
    slow: np.ndarray
    active: np.ndarray

    def background(self) -> Spectrum:
        """Return the spectrum of the background of a contact of amplitude 1 uV."""
        return aperiodic(1.0, self.exponent, CORNER_HZ, HIGH_PASS_HZ, BAND_HZ)

    def covariance(self) -> np.ndarray:
        """Return the covariance of the background in uV^2: (C, C)."""
        return self.amplitudes[:, None] * self.implant.covariance * self.amplitudes

    def noise_uv2(self) -> np.ndarray:
        """Return the variance of background and white noise in 70-150 Hz: (C,) uV^2."""
        white = 2 * WHITE_UV**2 / RATE_HZ * (GAMMA_HZ[1] - GAMMA_HZ[0])
        return integral(self.background(), *GAMMA_HZ) * np.diag(self.covariance()) + white


def gamma_spectrum(f: np.ndarray) -> np.ndarray:
    """Return the spectrum of high gamma: a peak at 95 Hz, symmetric in the log frequency."""
    logarithm = np.log(np.maximum(f, 1e-3) / PEAK_HZ)
    return np.exp(-(logarithm**2) / (2 * PEAK_WIDTH**2))


def draw_speaker(place: Place, shafts: Sequence[int], contacts: Sequence[int]) -> Speaker:
    """Draw the subject of a place.

    Args:
        place: of the subject.
        shafts, contacts: see `draw_implant`.
    """
    person = Place(place.seed, "seeg", place.subject)
    implant = draw_implant(person.stream("subject"), shafts, contacts)
    rng, count = person.stream("subject", 1), len(implant.names)
    amplitudes = AMPLITUDE_UV * np.exp(0.3 * rng.standard_normal(count))
    exponent = 2.3 + 0.15 * float(rng.standard_normal())
    gamma = implant.weights * np.maximum(0, 0.3 + rng.standard_normal((GESTURES, count)))
    slow = implant.weights * rng.standard_normal((GESTURES, count))
    active = (rng.uniform(size=count) < ACTIVE_SHARE) * rng.uniform(*ACTIVE_GAIN, count)
    active = np.where(implant.weights > 0, 0.0, active)
    return Speaker(implant, amplitudes, exponent, gamma, slow, active)


@dataclass(frozen=True)
class Spoken:
    """A word: its number in the lexicon, samples of the trial's start (-1: none) and its onset."""

    word: int
    start: int
    onset: int


class SeegRecording(SimulatedRecording):
    """One run of the task, or a task-free recording (session `free`)."""

    rate_hz = RATE_HZ

    @property
    def free(self) -> bool:
        """Return whether words are spoken at will, without events."""
        return self.place.session == FREE_SESSION

    @functools.cached_property
    def speaker(self) -> Speaker:
        """Draw the subject."""
        return draw_speaker(self.place, self.options["shafts"], self.options["contacts"])

    @functools.cached_property
    def spoken(self) -> tuple[Spoken, ...]:
        """Draw the words in the order of speaking."""
        return tuple(self._free_words() if self.free else self._task_words())

    def _task_words(self) -> list[Spoken]:
        rng = self.place.stream("events")
        words = rng.permutation(
            np.repeat(np.arange(self.options["n_words"]), self.options["n_trials"])
        )
        delays = DELAY_S + DELAY_SD * rng.standard_normal(len(words))
        onsets = GO_S + np.clip(delays, SOONEST_S, LATEST_S)
        starts = EDGE_S + TRIAL_S * np.arange(len(words))
        triples = zip(words.tolist(), starts, onsets, strict=True)
        return [
            Spoken(word, round(start * RATE_HZ), round((start + onset) * RATE_HZ))
            for word, start, onset in triples
        ]

    def _free_words(self) -> list[Spoken]:
        rng, words = self.place.stream("events"), []
        count = len(lexicon(self.place.seed, self.options["n_words"]))
        at = rng.uniform(*GAP_S)
        while at + WORD_S < self.options["free_s"]:
            words.append(Spoken(int(rng.integers(count)), -1, round(at * RATE_HZ)))
            at += WORD_S + rng.uniform(*GAP_S)
        return words

    @property
    def samples(self) -> int:
        """Return the length of the recording."""
        if self.free:
            return round(self.options["free_s"] * RATE_HZ)
        return self.spoken[-1].start + round((TRIAL_S + EDGE_S) * RATE_HZ)

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the contacts, or of differences and sums of neighbours."""
        names = self.speaker.implant.names
        if not self.options["bipolar"]:
            return names
        pairs = [(names[a], names[b]) for a, b in self.pairs()]
        return tuple([f"{a}-{b}" for a, b in pairs] + [f"{a}+{b}" for a, b in pairs])

    def pairs(self) -> list[tuple[int, int]]:
        """Return neighbours on a shaft, as numbers of contacts."""
        shaft = self.speaker.implant.shaft
        return [(k, k + 1) for k in range(len(shaft) - 1) if shaft[k] == shaft[k + 1]]

    def mixing(self) -> np.ndarray:
        """Return the matrix of differences A1 - A2, then sums A1 + A2, of neighbours: (2 P, C)."""
        first, second = np.array(self.pairs()).T
        unit = np.eye(len(self.speaker.implant.names))
        return np.concatenate([unit[first] - unit[second], unit[first] + unit[second]])

    def metres(self) -> np.ndarray:
        """Return the positions of the channels: (C, 3)."""
        points = self.speaker.implant.metres
        if not self.options["bipolar"]:
            return points
        middle = np.array([(points[a] + points[b]) / 2 for a, b in self.pairs()])
        return np.concatenate([middle, middle])

    def response(self) -> np.ndarray:
        """Draw the part that carries the words: (C, T) float32 uV, proportional to sqrt(snr)."""
        speaker, snr = self.speaker, self.options["snr"]
        signal = long_shaped(
            lambda block: self.place.stream("rhythms", block),
            unit_variance(gamma_spectrum, RATE_HZ),
            len(speaker.amplitudes),
            self.samples,
            RATE_HZ,
        )
        signal *= np.sqrt(snr * RHO * speaker.noise_uv2()).astype(np.float32)[:, None]
        words = lexicon(self.place.seed, self.options["n_words"])
        time_s = np.arange(round(WORD_S * RATE_HZ)) / RATE_HZ
        slow_uv = SLOW_GAIN * np.sqrt(snr) * speaker.amplitudes
        # The courses of a word are made once, however often it is said.
        for number in {item.word for item in self.spoken}:
            gain = np.exp(0.5 * gamma_course(speaker, words[number], time_s)).astype(np.float32)
            slow = slow_uv[:, None] * slow_course(speaker, words[number], time_s)
            for item in self.spoken:
                if item.word == number:
                    part = signal[:, item.onset : item.onset + len(time_s)]
                    part *= gain
                    part += slow.astype(np.float32)
        return signal

    def draw(self) -> Drawn:
        """Draw background, response and nuisance; trials are events."""
        speaker = self.speaker
        signal = long_shaped(
            lambda block: self.place.stream("background", block),
            speaker.background(),
            len(speaker.amplitudes),
            self.samples,
            RATE_HZ,
        )
        signal = np.linalg.cholesky(speaker.covariance()).astype(np.float32) @ signal
        signal += self.response()
        bads = self.add_nuisance(signal)
        # Nuisance is at the contacts: differences lose what neighbours share of it, sums double it.
        if self.options["bipolar"]:
            signal = self.mixing().astype(np.float32) @ signal
        block = {"kind": "block", "start_s": 0.0, "duration_s": self.samples / RATE_HZ}
        trials = [] if self.free else [trial_event(item) for item in self.spoken]
        if self.options.get("phonemes"):
            words = lexicon(self.place.seed, self.options["n_words"])
            trials += [row for item in self.spoken for row in syllable_events(item, words)]
        truth = {
            "speaker": speaker,
            "lexicon": lexicon(self.place.seed, self.options["n_words"]),
            "words": np.array([item.word for item in self.spoken]),
            "onsets_s": np.array([item.onset for item in self.spoken]) / RATE_HZ,
            "bads": bads,
            "artefacts": [],
        }
        return Drawn(signal, [block, *trials], truth)

    def add_nuisance(self, signal: np.ndarray) -> dict[str, list[int]]:
        """Add line, drift and white noise to the contacts in place, and return the bad ones.

        No artefacts: neither eye nor muscle reaches the depth.
        """
        settings = Nuisance(**self.options["nuisance"])
        rng, (channels, samples) = self.place.stream("nuisance"), signal.shape
        signal += line(rng, settings, channels, samples, RATE_HZ)
        signal += drift(rng, settings.drift_uv, channels, samples, RATE_HZ)
        white = rng.standard_normal(signal.shape, dtype=np.float32)
        white *= np.float32(settings.white_uv)
        signal += white
        return spoil_channels(self.place.stream("artefacts"), signal, settings)

    def load_raw(self) -> mne.io.BaseRaw:
        """Return the signal in volts with the positions of the contacts."""
        info = mne.create_info(list(self.channels), RATE_HZ, "seeg")
        info["description"] = "simulated"
        for channel, place in zip(info["chs"], self.metres(), strict=True):
            channel["loc"][:3] = place
        return mne.io.RawArray(self.signal_uv().astype(np.float64) * UV, info, verbose="error")


def gamma_course(speaker: Speaker, word: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Return the change of the log power of high gamma in a word that begins at 0: (C, T)."""
    of_word = GAMMA_GAIN * speaker.gamma[word].T @ gesture_courses(time_s)
    return of_word + speaker.active[:, None] * hann_course(0.0, WORD_S, time_s)


def slow_course(speaker: Speaker, word: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Return the slow potential in a word, in units of 0.8 sqrt(snr) sd of the contact: (C, T)."""
    return speaker.slow[word].T @ gesture_courses(time_s)


def syllable_events(item: Spoken, words: np.ndarray) -> list[dict[str, Any]]:
    """Return events of the two syllables of a word, two gestures each: `initial` and `final`."""
    length = 2 * STEP_S
    first, gestures = item.onset / RATE_HZ, words[item.word].tolist()
    return [
        {
            "kind": "phoneme",
            "start_s": first + number * length,
            "duration_s": length,
            "initial": gestures[2 * number],
            "final": gestures[2 * number + 1],
        }
        for number in range(2)
    ]


def trial_event(item: Spoken) -> dict[str, Any]:
    """Return the event of a trial; the onset of the voice stays in the truth."""
    return {
        "kind": "trial",
        "start_s": item.start / RATE_HZ,
        "duration_s": TRIAL_S,
        "label": item.word,
        "class": name_of(item.word),
        "word": name_of(item.word),
        "go_s": GO_S,
    }

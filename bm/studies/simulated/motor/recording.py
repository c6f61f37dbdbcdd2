"""Mode `motor`: four-class motor imagery as changes of the power of five sensorimotor rhythms.

Imagery lowers the power of the mu and beta rhythms over the part of the body that is imagined and
raises it elsewhere, as event-related desynchronisation does in recordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import electrode_positions
from ..head import Head, add_alpha, add_background, draw_head
from ..lead_field import normalise, patch, rotation
from ..noise import Spectrum, gaussian, integral, long_shaped, unit_variance
from ..nuisance import Nuisance, add_nuisance
from ..random_streams import Place
from ..recording import Drawn, SimulatedRecording

#: Electrodes of BCI Competition IV 2a, in the order of its files.
CHANNELS = (
    *("Fz", "FC3", "FC1", "FCz", "FC2", "FC4", "C5", "C3", "C1", "Cz", "C2"),
    *("C4", "C6", "CP3", "CP1", "CPz", "CP2", "CP4", "P1", "Pz", "P2", "POz"),
)
RATE_HZ = 250.0
# Power of a rhythm against the background in 8-13 Hz, at snr 1: puts a classifier by common spatial
# patterns at .84 and the ideal observer at .96 of four classes.
RHO = 1.5
CLASSES = ("left_hand", "right_hand", "feet", "tongue")
#: Rhythm (hand area of the left and right hemisphere, foot, tongue left and right) -> electrode
#: above it. A hand area belongs to the hand of the other side.
SITES = {"hl": "C3", "hr": "C4", "ft": "Cz", "tl": "FC5", "tr": "FC6"}
WIDTH = 0.32  # of the patch of a rhythm, in radii of the head
#: Factor of the power of each rhythm during imagery, by class.
GAINS: tuple[dict[str, float], ...] = (
    {"hr": 0.35, "hl": 0.90, "ft": 1.10},
    {"hl": 0.35, "hr": 0.90, "ft": 1.10},
    {"ft": 0.35, "hl": 1.25, "hr": 1.25},
    {"tl": 0.40, "tr": 0.40, "hl": 1.15, "hr": 1.15},
)
TRIAL_S, CUE_S = 6.0, 2.0  # as in BCI Competition IV 2a: cross at 0 s, cue at 2 s
RISE_S, FALL_S = (2.2, 2.8), (6.0, 6.6)  # begin and end of the ramps of imagery, in the trial
FIRST_S = 2.0  # first cross after the beginning


@dataclass(frozen=True)
class Subject:
    """Drawn once per subject.

    Attributes:
        head: background.
        sites: (5, 3) unit vectors of the rhythms.
        mu_hz: peak of the rhythms.
        skill: exponent of the power changes.
        amplitudes: (5,) of the rhythms.
    """

    head: Head
    sites: np.ndarray
    mu_hz: float
    skill: float
    amplitudes: np.ndarray


def draw_subject(place: Place, channels: tuple[str, ...]) -> Subject:
    """Draw the subject of a place."""
    person = Place(place.seed, place.mode, place.subject)
    head = draw_head(person, electrode_positions.unit(channels), 8.0, 0.15, 0.7)
    rng = person.stream("subject", 1)
    centres = electrode_positions.unit(list(SITES.values()))
    return Subject(
        head=head,
        sites=normalise(centres + 0.09 * rng.standard_normal(centres.shape)),
        mu_hz=float(np.clip(11 + 0.7 * rng.standard_normal(), 9, 13)),
        skill=float(np.clip(np.exp(0.25 * rng.standard_normal()), 0.5, 1.6)),
        amplitudes=np.exp(0.2 * rng.standard_normal(len(SITES))),
    )


@dataclass(frozen=True)
class Session:
    """One session of one subject.

    Attributes:
        electrodes: (C, 3) unit vectors, as the cap sits in this session.
        patterns: (5, C) of the rhythms, largest value 1.
        variances: (5,) of the rhythms at rest in uV^2.
        rhythm: their spectrum, of unit variance.
        shift: of the exponent of the background.
    """

    electrodes: np.ndarray
    patterns: np.ndarray
    variances: np.ndarray
    rhythm: Spectrum
    shift: float


def draw_session(place: Place, subject: Subject, channels: tuple[str, ...], snr: float) -> Session:
    """Draw the session of a place: the cap is turned a little, the exponent shifted."""
    rng = Place(place.seed, place.mode, place.subject, place.session).stream("session")
    electrodes = electrode_positions.unit(channels) @ rotation(0.035 * rng.standard_normal(3)).T
    shift = 0.04 * float(rng.standard_normal())
    patterns = np.stack([patch(electrodes, site, WIDTH) for site in subject.sites])
    strongest = patterns.argmax(1)
    band = integral(subject.head.spectrum(shift), 8, 13)
    background = band * np.diag(subject.head.covariance)[strongest]
    mu = subject.mu_hz

    def shape(f: np.ndarray) -> np.ndarray:
        return gaussian(mu, 0.9)(f) + 0.35 * gaussian(2 * mu - 0.5, 1.8)(f)

    return Session(
        electrodes=electrodes,
        patterns=patterns / patterns.max(1, keepdims=True),
        variances=RHO * snr * subject.amplitudes**2 * background,
        rhythm=unit_variance(shape, RATE_HZ),
        shift=shift,
    )


def class_gains(label: int, skill: float) -> np.ndarray:
    """Return the factor of the power of each rhythm in the plateau of a class: (5,)."""
    gains = GAINS[label]
    return np.array([gains.get(name, 1.0) for name in SITES]) ** skill


def envelope(rate_hz: float) -> np.ndarray:
    """Return the course of imagery in a trial from its cross on: up to 1, plateau, down to 0."""
    time = np.arange(round(FALL_S[1] * rate_hz)) / rate_hz

    def ramp(edges: tuple[float, float]) -> np.ndarray:
        share = np.clip((time - edges[0]) / (edges[1] - edges[0]), 0, 1)
        return 0.5 * (1 - np.cos(np.pi * share))

    return ramp(RISE_S) - ramp(FALL_S)


class MotorRecording(SimulatedRecording):
    """One run of motor imagery; `options` holds snr, n_trials, channels and the nuisance."""

    rate_hz = RATE_HZ

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the electrodes."""
        return tuple(self.options["channels"])

    def schedule(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw onsets in seconds and labels of the trials: (n,), (n,)."""
        count = self.options["n_trials"]
        rng = self.place.stream("events")
        gaps = rng.uniform(7.5, 8.5, count)
        labels = rng.permutation(np.arange(count) % len(CLASSES))
        onsets = FIRST_S + np.concatenate([[0.0], np.cumsum(gaps)[:-1]])
        return np.round(onsets * RATE_HZ) / RATE_HZ, labels

    def modulation(self, skill: float, samples: int) -> np.ndarray:
        """Return the factor of the amplitude of each rhythm: (5, T)."""
        onsets, labels = self.schedule()
        shape = envelope(RATE_HZ)
        power = np.zeros((len(SITES), samples), dtype=np.float32)
        for onset, label in zip(onsets, labels, strict=True):
            start = round(onset * RATE_HZ)
            exponent = np.log(class_gains(int(label), skill))[:, None] * shape
            power[:, start : start + len(shape)] += exponent[:, : samples - start]
        return np.exp(0.5 * power)

    def draw(self) -> Drawn:
        """Draw background, alpha, rhythms and nuisance; trials are events."""
        onsets, labels = self.schedule()
        samples = round((onsets[-1] + 8.5) * RATE_HZ)
        subject = draw_subject(self.place, self.channels)
        session = draw_session(self.place, subject, self.channels, self.options["snr"])
        signal = np.zeros((len(self.channels), samples), dtype=np.float32)
        add_background(self.place, subject.head, signal, RATE_HZ, session.shift)
        add_alpha(self.place, subject.head, signal, session.electrodes, RATE_HZ)
        signal += self.rhythms(subject, session, samples)
        settings = Nuisance(**self.options["nuisance"])
        artefacts, bads = add_nuisance(self.place, settings, signal, session.electrodes, RATE_HZ)
        block = {"kind": "block", "start_s": 0.0, "duration_s": samples / RATE_HZ}
        trials = [
            {
                "kind": "trial",
                "start_s": float(onset),
                "duration_s": TRIAL_S,
                "label": int(label),
                "class": CLASSES[label],
                "cue_s": CUE_S,
            }
            for onset, label in zip(onsets, labels, strict=True)
        ]
        truth = {"subject": subject, "session": session, "bads": bads, "artefacts": artefacts}
        return Drawn(signal, [block, *trials, *artefacts], truth)

    def rhythms(self, subject: Subject, session: Session, samples: int) -> np.ndarray:
        """Draw the part that carries the label: (C, T) float32 uV, proportional to sqrt(snr)."""
        sources = long_shaped(
            lambda block: self.place.stream("rhythms", 1000 + block),
            session.rhythm,
            len(SITES),
            samples,
            RATE_HZ,
        )
        sources *= np.sqrt(session.variances)[:, None].astype(np.float32)
        sources *= self.modulation(subject.skill, samples)
        return session.patterns.T.astype(np.float32) @ sources

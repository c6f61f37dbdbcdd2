"""Mode `motor`: four-class imagery by event-locked power changes (simulated.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from . import positions
from .forward import normalise, patch, rotation
from .noise import Spectrum, gaussian, integral, long_shaped, unit_variance
from .nuisance import WHITE_UV, Nuisance
from .simulation import (
    Drawn,
    Head,
    SimulatedRecording,
    add_alpha,
    add_background,
    add_nuisance,
    alpha_patterns,
    draw_head,
)
from .streams import Place

CHANNELS = tuple(
    [
        "Fz",
        "FC3",
        "FC1",
        "FCz",
        "FC2",
        "FC4",
        "C5",
        "C3",
        "C1",
        "Cz",
        "C2",
        "C4",
        "C6",
        "CP3",
        "CP1",
        "CPz",
        "CP2",
        "CP4",
        "P1",
        "Pz",
        "P2",
        "POz",
    ]
)
RATE_HZ = 250.0
RHO = 1.5  # power of a rhythm against the background in 8-13 Hz, at snr 1
CLASSES = ("left_hand", "right_hand", "feet", "tongue")
SITES = {"hl": "C3", "hr": "C4", "ft": "Cz", "tl": "FC5", "tr": "FC6"}
WIDTH = 0.32
#: Factor of the power of each rhythm during imagery, by class.
GAINS: tuple[dict[str, float], ...] = (
    {"hr": 0.35, "hl": 0.90, "ft": 1.10},
    {"hl": 0.35, "hr": 0.90, "ft": 1.10},
    {"ft": 0.35, "hl": 1.25, "hr": 1.25},
    {"tl": 0.40, "tr": 0.40, "hl": 1.15, "hr": 1.15},
)
TRIAL_S, CUE_S, CUE_LENGTH_S = 6.0, 2.0, 1.25
RISE_S, FALL_S = (2.2, 2.8), (6.0, 6.6)
FIRST_S = 2.0  # first cross after the beginning
WINDOW_S = (3.0, 6.0)  # the plateau, where the signal given the class is stationary


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
    """The subject of a place."""
    own = Place(place.seed, place.mode, place.subject)
    head = draw_head(own, positions.unit(channels), 8.0, 0.15, 0.7)
    rng = own.stream("subject", 1)
    base = positions.unit(list(SITES.values()))
    return Subject(
        head=head,
        sites=normalise(base + 0.09 * rng.standard_normal(base.shape)),
        mu_hz=float(np.clip(11 + 0.7 * rng.standard_normal(), 9, 13)),
        skill=float(np.clip(np.exp(0.25 * rng.standard_normal()), 0.5, 1.6)),
        amplitudes=np.exp(0.2 * rng.standard_normal(len(SITES))),
    )


@dataclass(frozen=True)
class Session:
    """What holds for one session of one subject: patterns (5, C), variances (5,), spectra."""

    electrodes: np.ndarray
    patterns: np.ndarray
    variances: np.ndarray
    rhythm: Spectrum
    shift: float


def draw_session(place: Place, subject: Subject, channels: tuple[str, ...], snr: float) -> Session:
    """The session of a place: the cap turned a little, the exponent shifted."""
    rng = Place(place.seed, place.mode, place.subject, place.session).stream("session")
    electrodes = positions.unit(channels) @ rotation(0.035 * rng.standard_normal(3)).T
    shift = 0.04 * float(rng.standard_normal())
    raw = np.stack([patch(electrodes, site, WIDTH) for site in subject.sites])
    best = raw.argmax(1)
    band = integral(subject.head.spectrum(shift), 8, 13)
    background = band * np.diag(subject.head.covariance)[best]
    mu = subject.mu_hz

    def shape(f: np.ndarray) -> np.ndarray:
        return gaussian(mu, 0.9)(f) + 0.35 * gaussian(2 * mu - 0.5, 1.8)(f)

    return Session(
        electrodes=electrodes,
        patterns=raw / raw.max(1, keepdims=True),
        variances=RHO * snr * subject.amplitudes**2 * background,
        rhythm=unit_variance(shape, RATE_HZ),
        shift=shift,
    )


def class_gains(label: int, skill: float) -> np.ndarray:
    """Factor of the power of each rhythm in the plateau of a class: (5,)."""
    gains = GAINS[label]
    return np.array([gains.get(name, 1.0) for name in SITES]) ** skill


def envelope(rate_hz: float) -> np.ndarray:
    """e(t) of a trial from its cross on: raised cosine to 1, plateau, raised cosine to 0."""
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
        """Names, in the order of BCI IV 2a unless chosen."""
        return tuple(self.options["channels"])

    def schedule(self) -> tuple[np.ndarray, np.ndarray]:
        """Onsets in seconds and labels of the trials: (n,), (n,)."""
        count = self.options["n_trials"]
        rng = self.place.stream("events")
        gaps = rng.uniform(7.5, 8.5, count)
        labels = rng.permutation(np.arange(count) % len(CLASSES))
        onsets = FIRST_S + np.concatenate([[0.0], np.cumsum(gaps)[:-1]])
        return np.round(onsets * RATE_HZ) / RATE_HZ, labels

    def modulation(self, skill: float, samples: int) -> np.ndarray:
        """Factor of the amplitude of each rhythm: (5, T)."""
        onsets, labels = self.schedule()
        shape = envelope(RATE_HZ)
        power = np.zeros((len(SITES), samples), dtype=np.float32)
        for onset, label in zip(onsets, labels, strict=True):
            start = round(onset * RATE_HZ)
            exponent = np.log(class_gains(int(label), skill))[:, None] * shape
            power[:, start : start + len(shape)] += exponent[:, : samples - start]
        return np.exp(0.5 * power)

    def draw(self) -> Drawn:
        """Background, alpha, rhythms, nuisance; trials as events."""
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
        """The part that carries the label: (C, T) float32 uV, proportional to sqrt(snr)."""
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


def spectral_matrices(subject: Subject, session: Session, frequencies: np.ndarray) -> np.ndarray:
    """S_c(f) of every class (section 8): (4, F, C, C) uV^2/Hz."""
    head = subject.head
    background = head.spectrum(session.shift)(frequencies)[:, None, None] * head.covariance
    alpha_density = head.alpha_uv**2 * unit_variance(gaussian(head.alpha_hz, 0.8), RATE_HZ)(
        frequencies
    )
    patterns = alpha_patterns(session.electrodes)
    alpha = alpha_density[:, None, None] * (patterns.T @ patterns)
    white = 2 * WHITE_UV**2 / RATE_HZ * np.eye(len(session.electrodes))
    shared = background + alpha + white
    rhythm = session.rhythm(frequencies)
    found = []
    for label in range(len(CLASSES)):
        power = class_gains(label, subject.skill) * session.variances
        outer = np.einsum("k,kc,kd->cd", power, session.patterns, session.patterns)
        found.append(shared + rhythm[:, None, None] * outer)
    return np.stack(found)


def log_likelihoods(matrices: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """-sum_f [ln det S_c + x* S_c^-1 x] of windows: bins (n, F, C) complex -> (n, classes)."""
    inverse = np.linalg.inv(matrices)
    determinant = np.linalg.slogdet(matrices)[1].sum(1)
    quadratic = np.einsum("nfc,kfcd,nfd->nk", bins.conj(), inverse, bins, optimize=True).real
    return -(quadratic + determinant)


FREQUENCIES = np.arange(18, 97) / 3.0  # k/3 Hz, 6 to 32 Hz: the bins of a 3 s window


def observe(pairs: list[tuple[Subject, Session]], draws: int, rng: Generator) -> tuple[float, int]:
    """Monte Carlo accuracy of the ideal observer and the number of draws it rests on."""
    each = max(len(CLASSES), draws // len(pairs))
    right, total = 0.0, 0
    for subject, session in pairs:
        matrices = spectral_matrices(subject, session, FREQUENCIES)
        roots = np.linalg.cholesky(matrices)
        labels = np.arange(each) % len(CLASSES)
        shape = (each, len(FREQUENCIES), matrices.shape[-1])
        normal = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)
        bins = np.einsum("nfcd,nfd->nfc", roots[labels], normal, optimize=True)
        right += credit(log_likelihoods(matrices, bins), labels)
        total += each
    return right / total, total


def credit(scores: np.ndarray, labels: np.ndarray) -> float:
    """Number of right decisions; a tie among m shares the credit 1/m."""
    best = np.isclose(scores, scores.max(1, keepdims=True), rtol=1e-12, atol=1e-9)
    return float((best[np.arange(len(labels)), labels] / best.sum(1)).sum())


def window_bins(windows: np.ndarray) -> np.ndarray:
    """Bins of Hann-weighted 3 s windows (n, C, T) uV in the units of the matrices: (n, F, C)."""
    taper = np.hanning(windows.shape[-1])
    spectrum = np.fft.rfft(windows * taper, axis=-1)
    spectrum /= np.sqrt(RATE_HZ * np.square(taper).sum() / 2)
    index = np.round(FREQUENCIES * windows.shape[-1] / RATE_HZ).astype(int)
    return spectrum[..., index].transpose(0, 2, 1)

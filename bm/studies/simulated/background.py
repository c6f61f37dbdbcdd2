"""Mode `background`: normal and abnormal recordings of several caps (simulated.md section 4)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.stats import rankdata

from . import positions
from .forward import patch
from .noise import gaussian, long_shaped, scaled, unit_variance
from .nuisance import Nuisance
from .simulation import Drawn, SimulatedRecording, add_background, add_nuisance, draw_head
from .streams import Place

SETS: dict[str, tuple[float, tuple[str, ...]]] = {
    "tuh21": (
        256.0,
        tuple(
            [
                "FP1",
                "FP2",
                "F3",
                "F4",
                "C3",
                "C4",
                "P3",
                "P4",
                "O1",
                "O2",
                "F7",
                "F8",
                "T3",
                "T4",
                "T5",
                "T6",
                "A1",
                "A2",
                "FZ",
                "CZ",
                "PZ",
            ]
        ),
    ),
    "clinical19": (
        200.0,
        tuple(
            [
                "Fp1",
                "Fp2",
                "F7",
                "F3",
                "Fz",
                "F4",
                "F8",
                "T7",
                "C3",
                "Cz",
                "C4",
                "T8",
                "P7",
                "P3",
                "Pz",
                "P4",
                "P8",
                "O1",
                "O2",
            ]
        ),
    ),
    "cap32": (
        500.0,
        tuple(
            [
                "Fp1",
                "Fp2",
                "AF3",
                "AF4",
                "F7",
                "F3",
                "Fz",
                "F4",
                "F8",
                "FC5",
                "FC1",
                "FC2",
                "FC6",
                "T7",
                "C3",
                "Cz",
                "C4",
                "T8",
                "CP5",
                "CP1",
                "CP2",
                "CP6",
                "P7",
                "P3",
                "Pz",
                "P4",
                "P8",
                "PO3",
                "PO4",
                "O1",
                "Oz",
                "O2",
            ]
        ),
    ),
}
SPREAD = np.array([0.8, 0.45, 0.45])  # sd of the latent in each dimension
NORMAL = np.array([10.0, 0.0, 0.0])  # posterior peak Hz, log slow power, log right/left power
#: name of the abnormality, its probability, centre of the latent at severity 1.
ABNORMAL: tuple[tuple[str, float, np.ndarray], ...] = (
    ("diffuse", 0.5, np.array([7.6, 1.3, 0.0])),
    ("left", 0.25, np.array([9.5, 0.6, 1.5])),
    ("right", 0.25, np.array([9.5, 0.6, -1.5])),
)
SLOW_SITES = ("F3", "F4", "T7", "T8", "Cz")
POSTERIOR_SITES = ("O1", "O2")


def pair_label(seed: int, subject: int) -> int:
    """Label of a subject: pairs hold one of each, in an order that a coin decides."""
    coin = int(Place(seed, "background", subject // 2).stream("study").integers(2))
    return (subject % 2) ^ coin


def centre(subtype: str, severity: float) -> np.ndarray:
    """Centre of the latent: (3,)."""
    if subtype == "normal":
        return NORMAL
    found = next(m for name, _, m in ABNORMAL if name == subtype)
    return NORMAL + severity * (found - NORMAL)


def slow_spectrum(f: np.ndarray) -> np.ndarray:
    """Slow activity around 3 Hz, none below 0.5 Hz."""
    return gaussian(3.0, 1.5)(f) * (f > 0.5)


def posterior_spectrum(peak_hz: float, f: np.ndarray) -> np.ndarray:
    """Posterior rhythm with its harmonic."""
    return gaussian(peak_hz, 0.9)(f) + 0.12 * gaussian(2 * peak_hz, 1.4)(f)


class BackgroundRecording(SimulatedRecording):
    """One recording; `options` holds layout, label, severity, duration_s and the nuisance."""

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the cap."""
        return SETS[self.options["layout"]][1]

    @property
    def rate_hz(self) -> float:  # type: ignore[override]
        """Rate of the cap."""
        return SETS[self.options["layout"]][0]

    def latent(self) -> tuple[str, np.ndarray]:
        """Subtype and theta of this recording; the draws do not depend on the severity."""
        rng = self.place.stream("events")
        draw = rng.uniform()
        edges = np.cumsum([share for _, share, _ in ABNORMAL])
        abnormal = ABNORMAL[int(np.searchsorted(edges, draw, "right"))][0]
        subtype = abnormal if self.options["label"] else "normal"
        theta = centre(subtype, self.options["severity"]) + SPREAD * rng.standard_normal(3)
        return subtype, theta

    def draw(self) -> Drawn:
        """Background, posterior rhythm, slow activity, nuisance; one block with the label."""
        rate, electrodes = self.rate_hz, positions.unit(self.channels)
        samples = round(self.options["duration_s"] * rate)
        head = draw_head(
            Place(self.place.seed, "background", self.place.subject), electrodes, 9.0, 0.15, 0.0
        )
        subtype, theta = self.latent()
        signal = np.zeros((len(electrodes), samples), dtype=np.float32)
        add_background(self.place, head, signal, rate)
        signal += self.posterior(theta, electrodes, samples)
        signal += self.slow(theta, electrodes, samples)
        settings = Nuisance(**self.options["nuisance"])
        artefacts, bads = add_nuisance(self.place, settings, signal, electrodes, rate)
        block = {
            "kind": "block",
            "start_s": 0.0,
            "duration_s": samples / rate,
            "label": self.options["label"],
            "class": ("normal", "abnormal")[self.options["label"]],
        }
        truth = {"subtype": subtype, "theta": theta, "head": head, "bads": bads}
        return Drawn(signal, [block, *artefacts], truth)

    def posterior(self, theta: np.ndarray, electrodes: np.ndarray, samples: int) -> np.ndarray:
        """Left and right posterior rhythm: (C, T) uV."""
        rng = Place(self.place.seed, "background", self.place.subject).stream("subject", 1)
        amplitude = 9.0 * float(np.exp(0.25 * rng.standard_normal()))
        spectrum = unit_variance(functools.partial(posterior_spectrum, theta[0]), self.rate_hz)
        shared, left, right = long_shaped(
            lambda block: self.place.stream("rhythms", block), spectrum, 3, samples, self.rate_hz
        )
        sources = np.sqrt(0.7) * shared + np.sqrt(0.3) * np.stack([left, right])
        gains = amplitude * np.exp([-theta[2] / 4, theta[2] / 4])
        sites = positions.unit(POSTERIOR_SITES)
        patterns = np.stack(
            [g * patch(electrodes, s, 0.6) for g, s in zip(gains, sites, strict=True)]
        )
        return (patterns.T @ sources).astype(np.float32)

    def slow(self, theta: np.ndarray, electrodes: np.ndarray, samples: int) -> np.ndarray:
        """Five independent slow sources: (C, T) uV."""
        spectrum = scaled(
            unit_variance(slow_spectrum, self.rate_hz), float(5.0 * np.exp(theta[1] / 2)) ** 2
        )
        sources = long_shaped(
            lambda block: self.place.stream("rhythms", 1000 + block),
            spectrum,
            len(SLOW_SITES),
            samples,
            self.rate_hz,
        )
        sites = positions.unit(SLOW_SITES)
        patterns = np.stack([patch(electrodes, site, 0.5) for site in sites])
        return (patterns.T @ sources).astype(np.float32)


def observe(severity: float, draws: int, rng: Generator) -> dict[str, Any]:
    """Accuracy and AUC of the likelihood ratio of theta: a bound for any decoder of a recording."""
    half = draws // 2
    normal = NORMAL + SPREAD * rng.standard_normal((half, 3))
    shares = [share for _, share, _ in ABNORMAL]
    kinds = rng.choice(len(ABNORMAL), half, p=shares)
    centres = np.stack([centre(name, severity) for name, _, _ in ABNORMAL])
    abnormal = centres[kinds] + SPREAD * rng.standard_normal((half, 3))

    def density(theta: np.ndarray, middle: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * np.square((theta - middle) / SPREAD).sum(1))

    def ratio(theta: np.ndarray) -> np.ndarray:
        mixture = sum(s * density(theta, m) for s, m in zip(shares, centres, strict=True))
        return np.log(np.maximum(mixture, 1e-300)) - np.log(
            np.maximum(density(theta, NORMAL), 1e-300)
        )

    low, high = ratio(normal), ratio(abnormal)
    ties = (np.isclose(low, 0, atol=1e-9).sum() + np.isclose(high, 0, atol=1e-9).sum()) / 2
    right = (low < -1e-9).sum() + (high > 1e-9).sum() + ties
    # Rounded, so that scores equal but for the last bits tie: at severity 0 all do.
    ranks = rankdata(np.round(np.concatenate([low, high]), 9))
    auc = (ranks[half:].sum() - half * (half + 1) / 2) / half**2
    return {"accuracy": float(right / (2 * half)), "auc": float(auc), "n": 2 * half}

"""Mode `background`: normal and abnormal resting recordings of several caps.

Three numbers of a recording carry its label: the peak of the posterior rhythm, the power of slow
activity, and the difference of the posterior rhythm between the sides. Abnormal recordings are
diffusely slowed or attenuated on one side. Subjects come in pairs of one cap with one label each,
in an order that a coin decides, so that neither the cap nor the number of a subject tells.
"""

from __future__ import annotations

import functools

import numpy as np

from .. import electrode_positions
from ..head import add_background, draw_head
from ..lead_field import patch
from ..noise import gaussian, long_shaped, scaled, unit_variance
from ..nuisance import Nuisance, add_nuisance
from ..random_streams import Place
from ..recording import Drawn, SimulatedRecording
from .caps import CAPS

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
CLASSES = ("normal", "abnormal")


def pair_label(seed: int, subject: int) -> int:
    """Return the label of a subject; a pair has one of each, in an order that a coin decides."""
    coin = int(Place(seed, "background", subject // 2).stream("study").integers(2))
    return (subject % 2) ^ coin


def pair_cap(subject: int) -> str:
    """Return the name of a subject's cap; the caps take turns by pair."""
    return list(CAPS)[(subject // 2) % len(CAPS)]


def latent_centre(subtype: str, severity: float) -> np.ndarray:
    """Return the centre of the latent of a subtype: (3,); severity 0 makes all of them normal."""
    if subtype == "normal":
        return NORMAL
    centre = next(centre for name, _, centre in ABNORMAL if name == subtype)
    return NORMAL + severity * (centre - NORMAL)


def slow_spectrum(f: np.ndarray) -> np.ndarray:
    """Return the spectrum of slow activity: around 3 Hz, none below 0.5 Hz."""
    return gaussian(3.0, 1.5)(f) * (f > 0.5)


def posterior_spectrum(peak_hz: float, f: np.ndarray) -> np.ndarray:
    """Return the spectrum of the posterior rhythm with its harmonic."""
    return gaussian(peak_hz, 0.9)(f) + 0.12 * gaussian(2 * peak_hz, 1.4)(f)


class BackgroundRecording(SimulatedRecording):
    """One recording; `options` holds layout, label, severity, duration_s and the nuisance."""

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the names of the cap's electrodes."""
        return CAPS[self.options["layout"]].channels

    @property
    def rate_hz(self) -> float:  # type: ignore[override]
        """Return the rate of the cap."""
        return CAPS[self.options["layout"]].rate_hz

    def latent(self) -> tuple[str, np.ndarray]:
        """Draw subtype and latent theta (3,); the draws do not depend on the severity."""
        rng = self.place.stream("events")
        draw = rng.uniform()
        edges = np.cumsum([share for _, share, _ in ABNORMAL])
        abnormal = ABNORMAL[int(np.searchsorted(edges, draw, "right"))][0]
        subtype = abnormal if self.options["label"] else "normal"
        theta = latent_centre(subtype, self.options["severity"]) + SPREAD * rng.standard_normal(3)
        return subtype, theta

    def draw(self) -> Drawn:
        """Draw background, posterior rhythm, slow activity, nuisance; one block has the label."""
        rate, electrodes = self.rate_hz, electrode_positions.unit(self.channels)
        samples = round(self.options["duration_s"] * rate)
        person = Place(self.place.seed, "background", self.place.subject)
        head = draw_head(person, electrodes, 9.0, 0.15, 0.0)
        subtype, theta = self.latent()
        signal = np.zeros((len(electrodes), samples), dtype=np.float32)
        add_background(self.place, head, signal, rate)
        signal += self.posterior(theta, electrodes, samples)
        signal += self.slow(theta, electrodes, samples)
        settings = Nuisance(**self.options["nuisance"])
        artefacts, bads = add_nuisance(self.place, settings, signal, electrodes, rate)
        label = self.options["label"]
        block = {"kind": "block", "start_s": 0.0, "duration_s": samples / rate}
        block |= {"label": label, "class": CLASSES[label]}
        truth = {"subtype": subtype, "theta": theta, "head": head, "bads": bads}
        return Drawn(signal, [block, *artefacts], truth)

    def posterior(self, theta: np.ndarray, electrodes: np.ndarray, samples: int) -> np.ndarray:
        """Draw the posterior rhythm of both sides, which share 70 % of it: (C, T) float32 uV."""
        rng = Place(self.place.seed, "background", self.place.subject).stream("subject", 1)
        amplitude = 9.0 * float(np.exp(0.25 * rng.standard_normal()))
        spectrum = unit_variance(functools.partial(posterior_spectrum, theta[0]), self.rate_hz)
        shared, left, right = long_shaped(
            lambda block: self.place.stream("rhythms", block), spectrum, 3, samples, self.rate_hz
        )
        sources = np.sqrt(0.7) * shared + np.sqrt(0.3) * np.stack([left, right])
        # theta is the log ratio of powers: a quarter of it is half the log ratio of amplitudes.
        gains = amplitude * np.exp([-theta[2] / 4, theta[2] / 4])
        sites = electrode_positions.unit(POSTERIOR_SITES)
        patterns = np.stack(
            [g * patch(electrodes, s, 0.6) for g, s in zip(gains, sites, strict=True)]
        )
        return (patterns.T @ sources).astype(np.float32)

    def slow(self, theta: np.ndarray, electrodes: np.ndarray, samples: int) -> np.ndarray:
        """Draw five independent slow sources: (C, T) float32 uV."""
        variance = float(5.0 * np.exp(theta[1] / 2)) ** 2
        sources = long_shaped(
            lambda block: self.place.stream("rhythms", 1000 + block),
            scaled(unit_variance(slow_spectrum, self.rate_hz), variance),
            len(SLOW_SITES),
            samples,
            self.rate_hz,
        )
        sites = electrode_positions.unit(SLOW_SITES)
        patterns = np.stack([patch(electrodes, site, 0.5) for site in sites])
        return (patterns.T @ sources).astype(np.float32)

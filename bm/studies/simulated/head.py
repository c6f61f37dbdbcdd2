"""Head of a simulated person: background and alpha rhythm, the same in all of its recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import electrode_positions
from .lead_field import background_covariance, patch
from .noise import Spectrum, aperiodic, gaussian, long_shaped, scaled, unit_variance
from .random_streams import Place

ALPHA_SITES, ALPHA_WEIGHTS = ("O1", "O2"), (1.0, 0.9)
ALPHA_WIDTH = 0.6  # of the patch of a source, in radii of the head
ALPHA_BAND_HZ = 0.8  # standard deviation of the peak


@dataclass(frozen=True)
class Head:
    """Background of one subject.

    Attributes:
        covariance: (C, C), mean diagonal 1.
        amplitude_uv, exponent: of the aperiodic spectrum.
        alpha_hz, alpha_uv: peak and amplitude of the posterior alpha rhythm.
    """

    covariance: np.ndarray
    amplitude_uv: float
    exponent: float
    alpha_hz: float
    alpha_uv: float

    def spectrum(self, shift: float = 0.0) -> Spectrum:
        """Return the aperiodic spectrum; `shift` is added to the exponent (motor: by session)."""
        return aperiodic(self.amplitude_uv, self.exponent + shift)

    def alpha_density(self, frequencies: np.ndarray, rate_hz: float) -> np.ndarray:
        """Return the density of one alpha source in uV^2/Hz at some frequencies."""
        spectrum = unit_variance(gaussian(self.alpha_hz, ALPHA_BAND_HZ), rate_hz)
        return self.alpha_uv**2 * spectrum(frequencies)


def draw_head(
    place: Place, electrodes: np.ndarray, amplitude_uv: float, amplitude_sd: float, alpha_sd: float
) -> Head:
    """Draw the background of a subject.

    Args:
        place: of the subject.
        electrodes: (C, 3) unit vectors.
        amplitude_uv, amplitude_sd: median amplitude, and its spread over subjects on a log scale.
        alpha_sd: spread of the alpha peak in Hz around 10.2 Hz; 0 = 10.0 Hz for everybody.
    """
    rng = place.stream("subject")
    covariance = background_covariance(rng, electrodes)
    # Four draws whatever is used of them, so that modes differ in their settings alone.
    draws = rng.standard_normal(4)
    return Head(
        covariance=covariance,
        amplitude_uv=amplitude_uv * float(np.exp(amplitude_sd * draws[0])),
        exponent=1.3 + 0.12 * draws[1],
        alpha_hz=(10.2 if alpha_sd else 10.0) + alpha_sd * draws[2],
        alpha_uv=7.0 * float(np.exp(0.3 * draws[3])),
    )


def alpha_patterns(electrodes: np.ndarray) -> np.ndarray:
    """Return the patterns of the two alpha sources on electrodes (C, 3): (2, C)."""
    sites = electrode_positions.unit(ALPHA_SITES)
    pairs = zip(sites, ALPHA_WEIGHTS, strict=True)
    return np.stack([w * patch(electrodes, site, ALPHA_WIDTH) for site, w in pairs])


def add_background(
    place: Place, head: Head, signal: np.ndarray, rate_hz: float, shift: float = 0.0
) -> None:
    """Add the aperiodic background to a signal (C, T) in place."""
    channels, samples = signal.shape
    white = long_shaped(
        lambda block: place.stream("background", block),
        head.spectrum(shift),
        channels,
        samples,
        rate_hz,
    )
    signal += np.linalg.cholesky(head.covariance).astype(np.float32) @ white


def add_alpha(
    place: Place, head: Head, signal: np.ndarray, electrodes: np.ndarray, rate_hz: float
) -> None:
    """Add the two posterior alpha sources to a signal (C, T) in place."""
    spectrum = unit_variance(gaussian(head.alpha_hz, ALPHA_BAND_HZ), rate_hz)
    sources = long_shaped(
        lambda block: place.stream("rhythms", block),
        scaled(spectrum, head.alpha_uv**2),
        2,
        signal.shape[1],
        rate_hz,
    )
    signal += alpha_patterns(electrodes).T.astype(np.float32) @ sources

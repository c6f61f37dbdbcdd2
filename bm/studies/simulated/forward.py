"""From sources to electrodes: patches, the background's covariance, alpha (section 2)."""

from __future__ import annotations

import functools

import numpy as np
from numpy.random import Generator

from .noise import Spectrum, integral

POINTS, COLUMNS, LOWEST_Z = 256, 128, -0.5
WIDTH = 0.4  # of a background dipole
FLOOR = 0.01  # share of independent noise in the background


def patch(points: np.ndarray, centre: np.ndarray, width: float) -> np.ndarray:
    """G(c; q, s) = exp(-|p_c - q|^2 / (2 s^2)) for points (C, 3): (C,)."""
    return np.exp(-np.square(points - centre).sum(1) / (2 * width**2))


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Vectors divided by their norms along the last axis."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@functools.lru_cache(maxsize=4)
def fibonacci_sphere(points: int) -> np.ndarray:
    """Evenly spread unit vectors: (points, 3)."""
    index = np.arange(points) + 0.5
    polar = np.arccos(1 - 2 * index / points)
    azimuth = np.pi * (1 + 5**0.5) * index
    return np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], 1
    )


def tangents(rng: Generator, points: np.ndarray) -> np.ndarray:
    """A random unit tangent at each point of the sphere: (n, 3)."""
    draws = rng.standard_normal(points.shape)
    draws -= (draws * points).sum(1, keepdims=True) * points
    return normalise(draws)


def background_covariance(rng: Generator, electrodes: np.ndarray) -> np.ndarray:
    """Sigma (C, C) with mean diagonal 1: random dipoles in a smooth lead field."""
    sphere = fibonacci_sphere(POINTS)
    centres = sphere[sphere[:, 2] > LOWEST_Z][:COLUMNS]
    directions = tangents(rng, centres)
    angles = rng.uniform(0, 2 * np.pi, len(centres))
    gains = np.exp(0.4 * rng.standard_normal(len(centres)))
    offsets = electrodes[:, None] - centres[None]
    bumps = np.exp(-np.square(offsets).sum(2) / (2 * WIDTH**2))
    slopes = (offsets * directions[None]).sum(2) / WIDTH
    field = gains * bumps * (np.cos(angles) + np.sin(angles) * slopes)
    covariance = field @ field.T
    share = len(electrodes) / np.trace(covariance)
    return (1 - FLOOR) * covariance * share + FLOOR * np.eye(len(electrodes))


def background_spectrum(
    amplitude_uv: float,
    exponent: float,
    corner_hz: float = 1.0,
    high_pass_hz: float = 0.1,
    band_hz: tuple[float, float] = (1.0, 40.0),
) -> Spectrum:
    """S_bg(f) = A^2 h(f) / v: aperiodic, flat below `corner_hz`, variance A^2 in `band_hz`."""

    def shape(f: np.ndarray) -> np.ndarray:
        return f**4 / (f**4 + high_pass_hz**4) / (corner_hz**exponent + f**exponent)

    total = integral(shape, *band_hz)
    return lambda f: amplitude_uv**2 * shape(f) / total


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation matrix about x, y and z by three angles in radians: (3, 3)."""
    (a, b, c) = angles
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x

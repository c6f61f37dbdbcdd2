"""From sources to electrodes: patches on the unit sphere and the covariance of the background.

A head is the unit sphere; what an electrode sees of a source depends on their distance alone. That
is less than a boundary-element model, and enough: neighbouring electrodes are correlated, sources
have a place, and every pattern is known exactly.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.random import Generator

# Dipoles of the background: the first 128 above z = -0.5 of 256 points spread over the sphere.
POINTS, DIPOLES, LOWEST_Z = 256, 128, -0.5
WIDTH = 0.4  # of the patch of a background dipole, in radii of the head
# Share of independent noise in the background: smooth patterns alone have a covariance that is
# nearly singular, and it is factorised.
FLOOR = 0.01


def patch(points: np.ndarray, centre: np.ndarray, width: float) -> np.ndarray:
    """Return G(c; q, s) = exp(-|p_c - q|^2 / (2 s^2)) for points p_c (C, 3): (C,)."""
    return np.exp(-np.square(points - centre).sum(1) / (2 * width**2))


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Return vectors divided by their norms along the last axis."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@functools.lru_cache(maxsize=4)
def fibonacci_sphere(points: int) -> np.ndarray:
    """Return unit vectors that are spread evenly over the sphere: (points, 3)."""
    index = np.arange(points) + 0.5
    polar = np.arccos(1 - 2 * index / points)
    azimuth = np.pi * (1 + 5**0.5) * index
    return np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], 1
    )


def tangents(rng: Generator, points: np.ndarray) -> np.ndarray:
    """Draw a unit tangent at each point of the sphere: (n, 3)."""
    draws = rng.standard_normal(points.shape)
    draws -= (draws * points).sum(1, keepdims=True) * points
    return normalise(draws)


def background_covariance(rng: Generator, electrodes: np.ndarray) -> np.ndarray:
    """Draw the covariance of the background: random dipoles in a smooth lead field.

    Column k of the field is e^(.4 z) G(c; q_k, .4) [cos(phi) + sin(phi) (p_c - q_k).t_k / .4] for a
    dipole at q_k with a uniform angle phi between the radial direction and the tangent t_k.

    Args:
        rng: draws the dipoles.
        electrodes: (C, 3) unit vectors.

    Returns:
        (C, C) with mean diagonal 1.
    """
    sphere = fibonacci_sphere(POINTS)
    centres = sphere[sphere[:, 2] > LOWEST_Z][:DIPOLES]
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


def rotation(angles: np.ndarray) -> np.ndarray:
    """Return the rotation matrix about x, y and z by three angles in radians: (3, 3)."""
    (a, b, c) = angles
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x

"""Depth electrodes of a subject of mode `seeg`: shafts of contacts, one through speech cortex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from ..lead_field import normalise

LETTERS = "ABCDEFGHIKLMNOPRST"  # of shafts; J and Q are not used
SPACING_MM = 3.5  # of the contacts of common depth electrodes
#: Centres of speech in the left hemisphere; a subject has one of them or its mirror image.
CENTRES_MM = ((-54.0, -12.0, 25.0), (-54.0, -25.0, 7.0))
SAME_SIDE = 0.7
REACH_MM = 7.0  # width of the speech centre
LEAST_WEIGHT = 0.25  # contacts of less tell nothing: about 6 of 29 are informative
TILT = 0.15  # of a shaft against the left-right axis
NEAR_MM, FAR_MM, FAR_SHARE = 8.0, 15.0, 0.3  # reach of the background within and across shafts


@dataclass(frozen=True)
class Implant:
    """Contacts of a subject.

    Attributes:
        names: C contacts, `A1` deepest on shaft A, `B'1` on a shaft of the right hemisphere.
        metres: (C, 3), x right, y front, z up.
        shaft: (C,) number of the shaft.
        weights: (C,) share of the speech centre, 0 where a contact tells nothing, at most 1.
        covariance: (C, C) of the background, mean diagonal about 1.
    """

    names: tuple[str, ...]
    metres: np.ndarray
    shaft: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray


def draw_implant(rng: Generator, shafts: Sequence[int], contacts: Sequence[int]) -> Implant:
    """Draw the shafts of a subject; the first runs through a centre of speech.

    Args:
        rng: draws them.
        shafts, contacts: smallest and largest number of shafts, and of contacts on each.
    """
    side = int(rng.choice((-1, 1)))  # -1 left
    centre = np.array(CENTRES_MM[int(rng.integers(2))]) * (-side, 1, 1)
    count = int(rng.integers(shafts[0], shafts[1] + 1))
    letters = rng.permutation(list(LETTERS))[:count]
    placed = []
    for number, letter in enumerate(letters):
        length = int(rng.integers(contacts[0], contacts[1] + 1))
        if number == 0:
            points = through(rng, centre, length)
        else:
            points = anywhere(rng, side if rng.uniform() < SAME_SIDE else -side, length)
        placed.append((str(letter), points))
    placed.sort(key=lambda pair: pair[0])  # the order of the shafts tells nothing
    points = np.concatenate([p for _, p in placed])
    names = [
        f"{letter}{chr(39) if p[0, 0] > 0 else ''}{k + 1}" for letter, p in placed
        for k in range(len(p))
    ]  # fmt: skip
    shaft = np.repeat(np.arange(count), [len(p) for _, p in placed])
    weights = np.exp(-np.square(points - centre).sum(1) / (2 * REACH_MM**2))
    weights[weights < LEAST_WEIGHT] = 0
    weights /= weights.max()
    return Implant(tuple(names), points * 1e-3, shaft, weights, covariance_of(points, shaft))


def line(rng: Generator, side: int, length: int) -> np.ndarray:
    """Return contacts along a nearly lateral axis from the deepest on: (length, 3) mm."""
    axis = normalise(np.array([side, 0.0, 0.0]) + TILT * rng.standard_normal(3))
    return SPACING_MM * np.arange(length)[:, None] * axis


def through(rng: Generator, centre: np.ndarray, length: int) -> np.ndarray:
    """Return a shaft whose middle lies in the speech centre, within 3 mm (sd) in each direction."""
    points = line(rng, int(np.sign(centre[0])), length)
    return points - points.mean(0) + centre + 3.0 * rng.standard_normal(3)


def anywhere(rng: Generator, side: int, length: int) -> np.ndarray:
    """Return a shaft anywhere lateral; the outermost contact lies 40 to 58 mm from the midline."""
    points = line(rng, side, length)
    outer = [side * rng.uniform(40, 58), rng.uniform(-70, 40), rng.uniform(-20, 50)]
    return points - points[-1] + np.array(outer)


def covariance_of(points: np.ndarray, shaft: np.ndarray) -> np.ndarray:
    """Return the covariance of the background, .85 K + .15 I: (C, C).

    K falls off with the distance within a shaft, exp(-d / 8 mm), and is small across shafts,
    .3 exp(-d^2 / (2 (15 mm)^2)).
    """
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    across = FAR_SHARE * np.exp(-(distance**2) / (2 * FAR_MM**2))
    kernel = np.where(shaft[:, None] == shaft[None], np.exp(-distance / NEAR_MM), across)
    values, vectors = np.linalg.eigh(0.85 * kernel + 0.15 * np.eye(len(points)))
    # K is made of two parts and need not be positive definite.
    return (vectors * np.maximum(values, 0.01)) @ vectors.T

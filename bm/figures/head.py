"""A head from above: electrodes on a disc, values between them, nose and ears.

In numpy: MNE's map of one head imports SciPy's interpolation, geometry and optimisation, which is
half of what the figures of a small run take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

RADIUS_M = 0.095  # of the head, whose centre is the origin; as in MNE
SIDE = 96  # pixels
EAR = (  # of the right one, in radii
    (0.972, 0.155),
    (1.024, 0.214),
    (1.064, 0.207),
    (1.084, 0.123),
    (1.072, 0.010),
    (1.076, -0.073),
    (1.086, -0.164),
    (1.062, -0.231),
    (1.016, -0.224),
    (0.964, -0.148),
)
NOSE = ((-0.17, 0.985), (0.0, 1.15), (0.17, 0.985))


def flattened(positions: np.ndarray) -> np.ndarray:
    """Return places on the disc (C, 2) of positions (C, 3): the equator is the edge of the head.

    Distances from the vertex are angles, so that electrodes below the equator lie outside.
    """
    across = np.linalg.norm(positions[:, :2], axis=1)
    angle = np.arctan2(across, positions[:, 2])
    # the vertex has no direction
    direction = positions[:, :2] / np.maximum(across, 1e-12)[:, None]
    return direction * (angle * RADIUS_M / (np.pi / 2))[:, None]


def _bend(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return r^2 log r of the distances between places (N, 2) and (C, 2): (N, C)."""
    squared = np.square(first[:, None] - second).sum(-1)
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))


def between(places: np.ndarray, values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the thin-plate spline through values (Duchon, 1977), the smoothest surface.

    Args:
        places: (C, 2) of the values (C,).
        targets: (N, 2).

    Returns:
        (N,); a plane where the values are one.
    """
    places, targets = places / RADIUS_M, targets / RADIUS_M  # else r^2 log r is all but a plane
    plane = np.column_stack([np.ones(len(places)), places])
    system = np.block([[_bend(places, places), plane], [plane.T, np.zeros((3, 3))]])
    # least squares: two electrodes may share a place, and all may lie on a line
    weights = np.linalg.lstsq(system, np.append(values, np.zeros(3)), rcond=None)[0]
    reached = np.column_stack([np.ones(len(targets)), targets])
    return np.asarray(_bend(targets, places) @ weights[:-3] + reached @ weights[-3:])


def surface(places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Return values (SIDE, SIDE) on a square around the head, from below, and half its side.

    Args:
        places: (C, 2) on the disc.
        values: (C,).
    """
    half = edge(places)
    ticks = np.linspace(-half, half, SIDE)
    grid = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    return between(places, values, grid).reshape(SIDE, SIDE), half


def edge(places: np.ndarray) -> float:
    """Return the radius of the disc that holds the head and all electrodes (C, 2)."""
    return max(RADIUS_M, 1.02 * float(np.linalg.norm(places, axis=1).max()))


def reach(places: np.ndarray, whole: bool) -> Path:
    """Return where a map speaks: a disc, or a disc around each electrode as far as neighbours.

    Args:
        places: (C, 2) on the disc.
        whole: the electrodes cover the head.
    """
    from matplotlib.path import Path

    if whole:
        return Path.circle((0.0, 0.0), edge(places))
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(apart, np.inf)
    radius = float(apart.min(1).max())
    return Path.make_compound_path(*(Path.circle(place, radius) for place in places))


def draw_outline(axis: Axes) -> None:
    """Draw the edge of the head, nose and ears, and frame them."""
    turn = np.linspace(0, 2 * np.pi, 101)
    ear = np.array(EAR)
    lines = [np.column_stack([np.cos(turn), np.sin(turn)]), np.array(NOSE), ear, ear * (-1, 1)]
    for line in lines:
        axis.plot(*(line.T * RADIUS_M), color="black", linewidth=0.7, clip_on=False)
    axis.set_aspect("equal")
    axis.set_axis_off()

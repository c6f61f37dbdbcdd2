"""Topographies of values of channels: a map of the head for every band and set of samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .head import draw_outline, flattened, reach, surface
from .style import DOUBLE_MM, figure, label_simulated, save, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

FEWEST = 4  # channels that span a surface
DISTANCE_M = (0.03, 0.25)  # of electrodes on a head from its origin, median; else not in metres
REACH_M = 0.075  # electrodes this far from the axis of the head to one side cover that side
WIDEST_MM, BAR_MM = 45.0, 16.0  # of one map; of titles and colour bars
LINE_MM = 4.0  # of a second line of a title


def draw_topographies(
    values: Mapping[str, Mapping[str, np.ndarray]],
    positions: np.ndarray,
    path: Path,
    unit: str = "dB re 1 uV^2",
    simulated: bool = False,
) -> Path:
    """Draw maps of the head from above, nose up: a row per set, a column per band.

    The maps of a column share their colours, with a bar below it. Between the electrodes
    values are interpolated; around them they are continued to the edge of the head when the
    electrodes cover it, else by the distance of neighbours and no further.

    Args:
        values: band -> name of a set (such as real, generated) -> (C,) in `unit`.
        positions: (C, 3) metres in head coordinates (x right, y front, z up).
        path: file to write, `.svg` or `.png`.
        unit: of the values.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: positions missing or not in metres, under four channels, values of another
            shape or not finite, or bands with other sets than the first.
    """
    _check_positions(positions)
    names = _check_values(values, len(positions))
    map_mm = min(WIDEST_MM, DOUBLE_MM / len(values))
    width_mm = max(map_mm * len(values), 2 * WIDEST_MM)
    size = {"rows": len(names), "columns": len(values)}
    height_mm = map_mm * len(names) + BAR_MM + LINE_MM * max(band.count("\n") for band in values)
    with figure(width_mm, height_mm, **size) as (drawing, axes):
        axes = np.reshape(axes, (len(names), len(values)))
        for column, (band, sets) in enumerate(values.items()):
            limits = _limits(sets)
            for row, name in enumerate(names):
                image = _draw_map(
                    axes[row, column], np.asarray(sets[name], float), positions, limits
                )
            axes[0, column].set_title(band)
            bar = drawing.colorbar(
                image, ax=list(axes[:, column]), location="bottom", shrink=0.7, aspect=18, pad=0.02
            )
            bar.ax.locator_params(nbins=3)
            bar.ax.tick_params(labelsize=6)
        for row, name in enumerate(names):
            axes[row, 0].annotate(
                *(name, (-0.08, 0.5)),
                xycoords="axes fraction",
                rotation=90,
                ha="right",
                va="center",
                fontsize=8,
            )
        drawing.supxlabel(unit_text(unit), fontsize=7)
        label_simulated(drawing, simulated)
        return save(drawing, path)


def _check_positions(positions: np.ndarray) -> None:
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise ValueError(f"positions have shape {positions.shape}, not (C, 3)")
    missing = np.flatnonzero(~np.isfinite(positions).all(1))
    if len(missing):
        raise ValueError(
            f"a topography needs the positions of all channels: {len(missing)} of "
            f"{len(positions)} are missing, the first that of channel {missing[0]}"
        )
    if len(positions) < FEWEST:
        raise ValueError(f"a topography needs {FEWEST} channels, got {len(positions)}")
    distance = float(np.median(np.linalg.norm(positions, axis=1)))
    if not DISTANCE_M[0] <= distance <= DISTANCE_M[1]:
        raise ValueError(
            f"positions lie {distance:g} from the origin: not metres in head coordinates"
        )


def _check_values(values: Mapping[str, Mapping[str, np.ndarray]], n_channels: int) -> list[str]:
    """Return the names of the sets, the same in every band."""
    names = list(next(iter(values.values()), {}))
    if not names:
        raise ValueError("no topographies to draw")
    for band, sets in values.items():
        if list(sets) != names:
            raise ValueError(f"band {band!r} has the sets {list(sets)}, the first band {names}")
        for name, value in sets.items():
            if np.shape(value) != (n_channels,):
                raise ValueError(
                    f"{band!r} of {name!r} has shape {np.shape(value)}, not ({n_channels},)"
                )
            if not np.isfinite(value).all():
                raise ValueError(f"{band!r} of {name!r} holds values that are not finite")
    return names


def _limits(sets: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Return the smallest and largest value of all sets; half a unit around a single value."""
    low = min(float(np.min(value)) for value in sets.values())
    high = max(float(np.max(value)) for value in sets.values())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_map(
    axis: Axes, value: np.ndarray, positions: np.ndarray, limits: tuple[float, float]
) -> AxesImage:
    """Draw one head; return its image for the colour bar."""
    places = flattened(positions)
    picture, half = surface(places, value)
    image = axis.imshow(
        picture,
        origin="lower",
        extent=(-half, half, -half, half),
        cmap="viridis",
        vmin=limits[0],
        vmax=limits[1],
        interpolation="bilinear",
    )
    ticks = np.linspace(-half, half, len(picture))
    levels = np.linspace(*limits, 7)[1:-1]
    lines = axis.contour(ticks, ticks, picture, levels, colors="black", linewidths=0.3)
    for artist in (image, lines):
        artist.set_clip_path(reach(places, covers_the_head(positions)), axis.transData)
    axis.plot(*places.T, ".", color="black", markersize=1.5)
    draw_outline(axis)
    # They lie inside the axes: to measure each of them for the layout takes its time.
    for artist in (*axis.lines, *axis.collections, *axis.images):
        artist.set_in_layout(False)
    return image


def covers_the_head(positions: np.ndarray) -> bool:
    """Return whether electrodes (C, 3) lie far out to all four sides and so span the disc."""
    x, y = positions[:, 0], positions[:, 1]
    return all(float(reach.max()) > REACH_M for reach in (x, -x, y, -y))

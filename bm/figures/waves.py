"""Stacked traces of samples of EEG, side by side on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import DOUBLE_MM, figure, label_simulated, save, side_colour, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_MM, FEW_MM, MOST_MM = 3.2, 8.0, 220.0  # height of a trace among many, few; of all on a page
NAME_MM = 2.4  # height of a channel's name at 6 points, with air
MOST_POINTS = 100_000  # above, traces are pixels: as vectors a file of tens of megabytes


def draw_waves(
    waves: np.ndarray | Mapping[str, np.ndarray],
    rate_hz: float,
    channels: Sequence[str],
    path: Path,
    unit: str = "uV",
    simulated: bool = False,
) -> Path:
    """Draw traces of all channels below each other, every side on the same scale, one scale bar.

    The median of each channel is taken off: offsets would push the traces over each other.
    The distance of two traces is twice the amplitude that 97 % of the values of the largest side
    stay below.

    Args:
        waves: (C, T), or name of a side (such as real, generated) -> (C, T); T may differ.
        rate_hz: sampling rate.
        channels: C names, drawn from the top.
        path: file to write, `.svg` or `.png`.
        unit: of the values.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: no side, shapes that do not fit, or a side without a finite value.
    """
    sides = dict(waves) if isinstance(waves, Mapping) else {"": waves}
    if not sides:
        raise ValueError("no waves to draw")
    sides = {name: _centred(name, wave, len(channels)) for name, wave in sides.items()}
    distance = max(np.nanpercentile(np.abs(wave), 97) for wave in sides.values()) * 2 or 1.0
    longest_s = max(wave.shape[1] for wave in sides.values()) / rate_hz
    foot, head = _edges([wave / distance for wave in sides.values()])
    foot += 0.3 + round_below(distance) / distance  # below the traces stands the scale bar
    row_mm = min(MOST_MM / len(channels), max(ROW_MM, min(FEW_MM, 100.0 / len(channels))))
    height_mm = row_mm * (foot - head) + 8.0
    with figure(DOUBLE_MM, height_mm, columns=len(sides)) as (drawing, axes):
        axes = np.atleast_1d(axes)
        for index, (axis, (name, wave)) in enumerate(zip(axes, sides.items(), strict=True)):
            _draw_traces(axis, wave / distance, rate_hz, side_colour(name, index))
            axis.set_title(name)
            axis.set_xlim(-0.01 * longest_s, longest_s)
            axis.set_ylim(foot, head)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
        every = math.ceil(NAME_MM / row_mm)  # names never on each other
        axes[0].set_yticks(range(0, len(channels), every), channels[::every])
        axes[0].tick_params(length=0, labelsize=6)
        _draw_scale_bar(axes[0], distance, longest_s, unit)
        label_simulated(drawing, simulated)
        return save(drawing, path)


def _centred(name: str, wave: np.ndarray, n_channels: int) -> np.ndarray:
    """Check shape and values of a wave; return it without the median of each channel."""
    where = f"waves of {name!r}" if name else "waves"
    wave = np.asarray(wave, float)
    if wave.ndim != 2 or len(wave) != n_channels or not wave.size:
        raise ValueError(f"{where} have shape {wave.shape}, not ({n_channels} channels, T)")
    wave = np.where(np.isfinite(wave), wave, np.nan)
    finite = np.isfinite(wave).any(1)
    if not finite.any():
        raise ValueError(f"{where} hold no finite value")
    wave[finite] -= np.nanmedian(wave[finite], axis=1, keepdims=True)
    return wave


def _edges(rows: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the lowest and highest place of traces (C, T) in rows, strays of over two rows cut."""
    places = [np.arange(len(wave))[:, None] - wave for wave in rows]
    n_rows = len(rows[0])
    lowest, highest = max(map(np.nanmax, places)), min(map(np.nanmin, places))
    return min(float(lowest), n_rows + 1.0), max(float(highest), -2.0)


def _draw_traces(axis: Axes, wave: np.ndarray, rate_hz: float, colour: str) -> None:
    """Draw a line per channel (C, T), in distances of two traces, upwards positive."""
    times_s = np.arange(wave.shape[1]) / rate_hz
    for row, trace in enumerate(wave):
        axis.plot(
            times_s,
            row - trace,
            color=colour,
            linewidth=0.5,
            clip_on=False,
            rasterized=wave.size > MOST_POINTS,
        )


def _draw_scale_bar(axis: Axes, distance: float, longest_s: float, unit: str) -> None:
    """Draw an L below the traces: upright a round amplitude, lying a round time."""
    amplitude, duration_s = round_below(distance), round_below(longest_s / 4)
    foot = axis.get_ylim()[0]
    line: dict[str, Any] = {"color": "black", "clip_on": False, "solid_capstyle": "butt"}
    axis.plot([0, 0, duration_s], [foot - amplitude / distance, foot, foot], **line)
    axis.annotate(
        f"{amplitude:g} {unit_text(unit)}, {duration_s:g} s",
        (duration_s, foot),
        xytext=(3, 0),
        textcoords="offset points",
        va="bottom",
        fontsize=6,
    )


def round_below(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above a positive value.

    >>> round_below(0.75), round_below(120.0)
    (0.5, 100.0)
    """
    power = 10.0 ** math.floor(math.log10(value))
    return max(step for step in (1.0, 2.0, 5.0) if step * power <= value) * power

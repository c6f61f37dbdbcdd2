"""Power spectra of sets of EEG samples over each other, with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..metrics.spectra import BANDS, RANGE_HZ
from .style import DOUBLE_MM, figure, label_simulated, save, side_colour, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = (5, 95)  # percentiles over samples
FEW = 6  # up to so many channels are named, more are counted


def draw_spectra(
    freqs: np.ndarray,
    densities: Mapping[str, np.ndarray],
    path: Path,
    channels: Sequence[str] | None = None,
    unit: str = "uV^2/Hz",
    simulated: bool = False,
) -> Path:
    """Draw the mean over samples and channels of the density in dB, and its spread over samples.

    Each sample gives one curve, the mean of its channels in dB; the line is the mean of these
    curves and the band holds 90 % of them. Drawn from 1 to 45 Hz on a log axis. Bins without
    power have no place in dB and are left out of the means.

    Args:
        freqs: (F,) Hz.
        densities: name of a set (such as real, generated) -> (N, C, F); N may differ.
        path: file to write, `.svg` or `.png`.
        channels: C names, for the title.
        unit: of the densities.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: no set, shapes that do not fit, no frequency in the range, or a set without
            any power.
    """
    if not densities:
        raise ValueError("no densities to draw")
    inside = (freqs >= RANGE_HZ[0]) & (freqs <= RANGE_HZ[1])
    if inside.sum() < 2:
        raise ValueError(f"under two of the frequencies lie in {RANGE_HZ[0]:g}-{RANGE_HZ[1]:g} Hz")
    # In dB before the mean: linear means are ruled by the few loudest samples.
    curves = {
        name: curves_in_db(name, density, len(freqs), channels)[:, inside]
        for name, density in densities.items()
    }
    with figure(DOUBLE_MM * 0.6, 70.0) as (drawing, axis):
        for index, (name, rows) in enumerate(curves.items()):
            label = f"{name} ({len(rows)} samples)"
            _draw_set(axis, freqs[inside], rows, side_colour(name, index), label)
        _draw_bands(axis, min(RANGE_HZ[1], float(freqs[inside][-1])))
        axis.set_xlabel("frequency (Hz)")
        axis.set_ylabel(f"power density (dB re 1 {unit_text(unit)})")
        names = _names(channels, next(iter(densities.values())).shape[1])
        axis.set_title(f"{names}; band: {SPREAD[0]}-{SPREAD[1]} % of the samples", pad=12)
        axis.legend(loc="best")
        label_simulated(drawing, simulated)
        return save(drawing, path)


def curves_in_db(
    name: str, density: np.ndarray, n_freqs: int, channels: Sequence[str] | None = None
) -> np.ndarray:
    """Return the mean over channels (N, F) of densities (N, C, F) in dB; NaN without any power.

    Raises:
        ValueError: naming the set, when the shape does not fit or no bin has power.
    """
    density = np.asarray(density, float)
    fits = density.ndim == 3 and density.shape[2] == n_freqs and density.size
    if not fits or (channels is not None and density.shape[1] != len(channels)):
        expected = f"{len(channels)} channels" if channels is not None else "C"
        raise ValueError(
            f"densities of {name!r} have shape {density.shape}, not (N, {expected}, {n_freqs} bins)"
        )
    positive = np.isfinite(density) & (density > 0)
    if not positive.any():
        raise ValueError(f"densities of {name!r} hold no power")
    decibels = 10 * np.log10(np.where(positive, density, 1.0))
    counts = positive.sum(1)
    sums = np.where(positive, decibels, 0.0).sum(1)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _draw_set(axis: Axes, freqs: np.ndarray, rows: np.ndarray, colour: str, label: str) -> None:
    """Draw the mean of the curves (N, F) as a line and the band of their percentiles."""
    finite = np.isfinite(rows).any(0)
    freqs, rows = freqs[finite], rows[:, finite]
    low, high = np.nanpercentile(rows, SPREAD, axis=0)
    axis.fill_between(freqs, low, high, color=colour, alpha=0.18, linewidth=0)
    axis.plot(freqs, np.nanmean(rows, axis=0), color=colour, label=label)


def _draw_bands(axis: Axes, end_hz: float) -> None:
    """Draw the log axis: edges of the bands as ticks, their names above the axes."""
    edges = sorted({edge for band in BANDS.values() for edge in band})
    axis.set_xscale("log")
    axis.set_xlim(RANGE_HZ[0], end_hz)
    axis.set_xticks([edge for edge in edges if edge <= end_hz])
    axis.xaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    for name, (low, high) in BANDS.items():
        if low >= end_hz:
            continue
        axis.axvline(low, color="#cccccc", linewidth=0.5, zorder=0)
        axis.annotate(
            name,
            # The middle of a band on a log axis is the geometric mean of its edges.
            (np.sqrt(low * min(high, end_hz)), 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=6,
            color="#555555",
        )


def _names(channels: Sequence[str] | None, n_channels: int) -> str:
    if channels is not None and n_channels <= FEW:
        return f"mean of {', '.join(channels)}" if n_channels > 1 else channels[0]
    return f"mean of {n_channels} channels"

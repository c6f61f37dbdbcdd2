"""Time-frequency maps of samples of EEG beside each other on one colour scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .style import DOUBLE_MM, figure, label_simulated, save, unit_text

#: Percentiles of all maps between which the colours run: in dB single bins fall very low.
LIMITS = (2, 99.5)
MISSING = "#bbbbbb"  # colour of values that are not finite


def draw_spectrograms(
    maps: Mapping[str, np.ndarray],
    times_s: np.ndarray,
    freqs_hz: np.ndarray,
    path: Path,
    unit: str = "dB re 1 uV^2/Hz",
    title: str = "",
    simulated: bool = False,
) -> Path:
    """Draw a map per name, side by side, with the same colours and one colour bar.

    Args:
        maps: name of a side (such as real, generated) -> (T, F) or (F, T) in `unit`; where T = F
            it is taken as (T, F).
        times_s: (T,) middle of each frame, rising.
        freqs_hz: (F,) middle of each bin, rising.
        path: file to write, `.svg` or `.png`.
        unit: of the values, written at the colour bar.
        title: e.g. the channel.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: no map, a map of another shape, or one without a finite value.
    """
    if not maps:
        raise ValueError("no spectrograms to draw")
    upright = {
        name: _upright(name, values, len(times_s), len(freqs_hz)) for name, values in maps.items()
    }
    finite = np.concatenate([values.compressed() for values in upright.values()])
    low, high = np.percentile(finite, LIMITS)
    with figure(DOUBLE_MM, 62.0, columns=len(upright)) as (drawing, axes):
        axes = np.atleast_1d(axes)
        for axis, (name, values) in zip(axes, upright.items(), strict=True):
            axis.set_facecolor(MISSING)
            mesh = axis.pcolormesh(
                *(times_s, freqs_hz, values),
                vmin=low,
                vmax=high,
                cmap="viridis",
                shading="nearest",
                rasterized=True,  # as vectors the cells have seams and the file is large
            )
            axis.set_title(name)
            axis.set_xlabel("time (s)")
        axes[0].set_ylabel("frequency (Hz)")
        for axis in axes[1:]:
            axis.tick_params(labelleft=False)
        bar = drawing.colorbar(mesh, ax=list(axes), extend="both", pad=0.01, aspect=30)
        bar.set_label(unit_text(unit))
        if title:
            drawing.suptitle(title, fontsize=8)
        label_simulated(drawing, simulated)
        return save(drawing, path)


def _upright(name: str, values: np.ndarray, n_times: int, n_freqs: int) -> np.ma.MaskedArray:
    """Return the map as (F, T), values that are not finite masked."""
    values = np.asarray(values, float)
    if values.shape == (n_times, n_freqs):
        values = values.T
    elif values.shape != (n_freqs, n_times):
        raise ValueError(
            f"spectrogram {name!r} has shape {values.shape}, not "
            f"({n_times} times, {n_freqs} frequencies) or its transpose"
        )
    if not np.isfinite(values).any():
        raise ValueError(f"spectrogram {name!r} holds no finite value")
    return np.ma.masked_invalid(values)

"""Log-mel spectra of several clips, one row for each way in which they were made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from ..writing import replacing
from .style import DOUBLE_MM, figure, label_simulated, save

ROW_MM = 24.0
LIMITS = (2, 99.5)  # percentiles of the first row between which the colours of all run
IMAGE_PIXELS = 400  # at least, of the width of an image without axes
MOST = 4  # clips that are drawn


def draw_mels(
    rows: Mapping[str, np.ndarray], hop_s: float, path: Path, simulated: bool = False
) -> Path:
    """Draw log-mel spectra (N, frames, bands) of at most four clips, a row per name.

    Args:
        rows: name -> spectra; the first gives the colours to all.
        hop_s: between frames.
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.
    """
    first = next(iter(rows.values()))
    count = min(MOST, len(first))
    low, high = np.percentile(first[:count], LIMITS)
    size = (DOUBLE_MM, 10 + ROW_MM * len(rows))
    with figure(*size, rows=len(rows), columns=count) as (drawing, axes):
        grid = np.reshape(axes, (len(rows), count))
        for line, (name, spectra) in zip(grid, rows.items(), strict=True):
            for axis, spectrum in zip(line, spectra, strict=False):
                end_s = len(spectrum) * hop_s
                axis.imshow(
                    spectrum.T,
                    origin="lower",
                    aspect="auto",
                    vmin=low,
                    vmax=max(high, low + 1e-6),
                    extent=(0, end_s, 0, spectrum.shape[1]),
                    cmap="magma",
                )
                axis.tick_params(labelbottom=line is grid[-1], labelleft=axis is line[0])
            line[0].set_ylabel(f"{name}\nmel band")
        for axis in grid[-1]:
            axis.set_xlabel("time (s)")
        label_simulated(drawing, simulated)
        return save(drawing, path)


def draw_mel(spectrum: np.ndarray, limits: tuple[float, float], path: Path) -> Path:
    """Draw one log-mel spectrum (frames, bands) without axes, for a page where many stand."""
    # an image and no figure: thirty of them are a second instead of six
    wide = max(1, -(-IMAGE_PIXELS // len(spectrum)))
    image = spectrum.T.repeat(wide, 1).repeat(wide, 0)
    with replacing(path, durable=False) as aside:
        imsave(aside, image, limits[0], limits[1], cmap="magma", format="png", origin="lower")
    return path

"""Predicted against true values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .style import CHANCE_LINE, DOUBLE_MM, PALETTE, figure, label_simulated, save

COLUMNS = 4
MOST = 4000  # points drawn of each value


def draw_values(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], path: Path, simulated: bool = False
) -> Path:
    """Draw a scatter for each value, with the line of a perfect prediction.

    Args:
        pairs: name -> true and predicted (N,).
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.
    """
    columns = min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    width = DOUBLE_MM * max(columns, 2) / COLUMNS
    with figure(width, 8.0 + 42.0 * rows, rows, columns) as (drawing, axes):
        places = np.atleast_1d(axes).ravel()
        for axis, (name, (true, predicted)) in zip(places, pairs.items(), strict=False):
            some = np.linspace(0, len(true) - 1, min(MOST, len(true))).astype(int)
            axis.plot(true[some], predicted[some], ".", ms=2, alpha=0.4, color=PALETTE[0])
            ends = [float(np.min(true)), float(np.max(true))]
            axis.plot(ends, ends, **CHANCE_LINE)
            axis.set_title(name)
            axis.set_xlabel("true")
            axis.set_ylabel("predicted")
        for axis in places[len(pairs) :]:
            axis.set_visible(False)
        label_simulated(drawing, simulated)
        return save(drawing, path)

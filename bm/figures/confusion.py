"""Confusion matrices: which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .style import SINGLE_MM, figure, label_simulated, save

MANY = 20  # from so many classes on, numbers in the cells would be too small to read


def draw_confusion(
    labels: np.ndarray,
    predictions: np.ndarray,
    classes: Sequence[str],
    path: Path,
    simulated: bool = False,
) -> Path:
    """Draw the share of each true class (row) that was decided to be each class (column).

    Args:
        labels: (N,) true classes.
        predictions: (N,) decided classes.
        classes: K names.
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (labels.astype(int), predictions.astype(int)), 1)
    totals = counts.sum(1, keepdims=True)
    # A class that does not occur in the split has a row of zeros instead of 0 / 0.
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    with figure(SINGLE_MM, SINGLE_MM * 0.9) as (drawing, axis):
        image = axis.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        if len(classes) < MANY:
            for (row, column), share in np.ndenumerate(shares):
                colour = "white" if share > 0.6 else "black"
                axis.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour)
        names = [f"{name} ({int(n)})" for name, n in zip(classes, totals[:, 0], strict=True)]
        axis.set_yticks(range(len(classes)), names)
        axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axis.set_xlabel("decided")
        axis.set_ylabel("true (windows)")
        drawing.colorbar(image, ax=axis, shrink=0.8, label="share of the true class")
        label_simulated(drawing, simulated)
        return save(drawing, path)

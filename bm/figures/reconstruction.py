"""Reconstructions of a tokenizer beside their targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from .style import DOUBLE_MM, SIDE_COLOURS, figure, label_simulated, save

N_SINGLE = 3  # single curves drawn beside the mean

#: name, axis, target (N, F), predicted (N, F).
Pair = tuple[str, str, np.ndarray, np.ndarray]


def draw_reconstructions(pairs: Sequence[Pair], path: Path, simulated: bool = False) -> Path:
    """Draw a row per reconstructed quantity: the mean over curves, then single curves.

    Args:
        pairs: name, what the values count, and the true and predicted curves (N, F).
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: nothing to draw.
    """
    if not pairs or not all(len(target) for _, _, target, _ in pairs):
        raise ValueError("no reconstructions to draw")
    columns = 1 + N_SINGLE
    with figure(DOUBLE_MM, 8.0 + 38.0 * len(pairs), len(pairs), columns) as (drawing, axes):
        for row, (name, axis_name, target, predicted) in enumerate(pairs):
            numbers = np.linspace(0, len(target) - 1, N_SINGLE).astype(int)
            curves = [(target.mean(0), predicted.mean(0))]
            curves += [(target[i], predicted[i]) for i in numbers]
            titles = [f"mean of {len(target)}", *(f"number {i + 1}" for i in numbers)]
            for axis, curve, title in zip(np.atleast_2d(axes)[row], curves, titles, strict=True):
                axis.plot(curve[0], color=SIDE_COLOURS["real"], label="true", linewidth=0.8)
                axis.plot(
                    curve[1], color=SIDE_COLOURS["generated"], label="from codes", linewidth=0.8
                )
                axis.set_title(title)
                axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
            np.atleast_2d(axes)[row][0].set_ylabel(name)
            np.atleast_2d(axes)[row][0].set_xlabel(axis_name)
        np.atleast_2d(axes)[0][0].legend(loc="best")
        label_simulated(drawing, simulated)
        return save(drawing, path)

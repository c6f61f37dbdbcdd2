"""Use of the codes of a codebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .style import FAMILY_COLOURS, SINGLE_MM, draw_chance, figure, label_simulated, save

NARROW = 10.0  # within this factor a log axis shows no power of ten


def draw_code_use(counts: np.ndarray, path: Path, simulated: bool = False) -> Path:
    """Draw the share of each code, from the most to the least used.

    The axis is logarithmic unless the shares are close together.

    Args:
        counts: (K,) uses of each code.
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: no code was ever used.
    """
    total = counts.sum()
    if total <= 0:
        raise ValueError("no code was used")
    shares = np.sort(counts[counts > 0])[::-1] / total
    with figure(SINGLE_MM, 55.0) as (drawing, axis):
        axis.plot(
            np.arange(1, len(shares) + 1),
            shares,
            color=FAMILY_COLOURS["labram"],
            marker="o",
            markersize=2,
        )
        draw_chance(axis, 1 / len(counts), "all alike")
        if shares[0] > NARROW * shares[-1]:
            axis.set_yscale("log")  # rare codes are what a collapsed codebook has, far below
        else:
            axis.set_ylim(0)
        axis.set_xlim(0, len(counts) + 1)
        axis.set_xlabel(f"codes by use ({len(shares)} of {len(counts)} used)")
        axis.set_ylabel("share of patches")
        label_simulated(drawing, simulated)
        return save(drawing, path)

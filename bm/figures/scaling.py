"""Loss over model size and data, with the power law that was fitted to the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..metrics.scaling_law import PowerLaw
from .style import DOUBLE_MM, PALETTE, figure, label_simulated, save

CURVE = 50  # points of the law's curve


@dataclass(frozen=True)
class Trained:
    """A run: parameters, training windows, and the loss of its test."""

    parameters: float
    windows: float
    loss: float


def in_words(law: PowerLaw) -> str:
    """Return the law as a formula: `L = 1.70 + 4.1e+02 D^-0.28`."""
    text = f"L = {law.floor:.3g}"
    if law.a is not None and law.alpha is not None:
        text += f" + {law.a:.2g} N^-{law.alpha:.2f}"
    if law.b is not None and law.beta is not None:
        text += f" + {law.b:.2g} D^-{law.beta:.2f}"
    return text


def draw_scaling(
    runs: Sequence[Trained], law: PowerLaw, path: Path, simulated: bool = False
) -> Path:
    """Draw the loss against each size that varies, runs as dots and the law as lines.

    Args:
        runs: as fitted.
        law: fitted to them.
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.
    """
    axes_of = {"parameters N": "parameters", "training windows D": "windows"}
    varied = [name for name, field in axes_of.items() if len({getattr(r, field) for r in runs}) > 1]
    with figure(DOUBLE_MM, 70.0, columns=len(varied)) as (drawing, axes):
        for axis, name in zip(np.atleast_1d(axes), varied, strict=True):
            field = axes_of[name]
            other = next(f for f in axes_of.values() if f != field)
            for number, fixed in enumerate(sorted({getattr(r, other) for r in runs})):
                some = [r for r in runs if getattr(r, other) == fixed]
                x = np.array([getattr(r, field) for r in some])
                colour = PALETTE[number % len(PALETTE)]
                axis.plot(x, [r.loss for r in some], "o", ms=3, color=colour)
                line = np.geomspace(x.min(), x.max(), CURVE)
                sizes = (line, fixed) if field == "parameters" else (fixed, line)
                curve = law.loss(*(np.broadcast_to(s, line.shape) for s in sizes))
                axis.plot(line, curve, "-", color=colour, label=f"{other} {fixed:,.0f}")
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.set_xlabel(name)
            axis.legend(loc="best", fontsize=6)
        np.atleast_1d(axes)[0].set_ylabel("test loss")
        drawing.suptitle(in_words(law), fontsize=7)
        label_simulated(drawing, simulated)
        return save(drawing, path)

"""Mean correlation of channels, real beside generated, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..metrics.covariance import correlations, covariances
from .style import DOUBLE_MM, figure, label_simulated, save

MANY = 32  # channels from which on names would be too small to read


def draw_covariances(
    sets: dict[str, np.ndarray], channels: Sequence[str], path: Path, simulated: bool = False
) -> Path:
    """Draw the mean correlation matrix of each set, and the second minus the first.

    Args:
        sets: two names -> (N, C, T) samples.
        channels: C names.
        path: file to write, `.svg` or `.png`.
        simulated: writes the label of simulated data.
    """
    means = {
        name: correlations(covariances(np.asarray(samples, float))).mean(0)
        for name, samples in sets.items()
    }
    first, second = means.values()
    maps = {**means, " minus ".join(reversed(list(means))): second - first}
    with figure(DOUBLE_MM, 62.0, 1, 3) as (drawing, axes):
        for axis, (title, matrix) in zip(axes, maps.items(), strict=True):
            # steps are drawn as one image: an SVG of a path for each cell would be megabytes
            image = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
            axis.set_title(title)
            shown = range(len(channels)) if len(channels) < MANY else []
            axis.set_xticks(shown, channels if shown else [], rotation=90, fontsize=5)
            axis.set_yticks(shown, channels if shown else [], fontsize=5)
        drawing.colorbar(image, ax=axes, shrink=0.8, label="correlation")
        label_simulated(drawing, simulated)
        return save(drawing, path)

"""Feature maps of read words, real beside generated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .style import DOUBLE_MM, figure, label_simulated, save

N_DRAWN = 4  # sentences
LETTERS = 90  # of the sentence under a map


def draw_word_maps(
    real: np.ndarray,
    generated: np.ndarray,
    path: Path,
    texts: Sequence[str] | None = None,
    simulated: bool = False,
) -> Path:
    """Draw a row for each of the first sentences: words downwards, values to the right.

    Args:
        real, generated: (N, W, K) of the same sentences, -1..1.
        path: file to write, `.svg` or `.png`.
        texts: N sentences.
        simulated: writes the label of simulated data.

    Raises:
        ValueError: nothing to draw.
    """
    count = min(N_DRAWN, len(real), len(generated))
    if not count:
        raise ValueError("no maps to draw")
    with figure(DOUBLE_MM, 8.0 + 32.0 * count, count, 2) as (drawing, axes):
        for row in range(count):
            for axis, maps, title in zip(
                np.atleast_2d(axes)[row], (real, generated), ("real", "generated"), strict=True
            ):
                axis.imshow(maps[row], aspect="auto", cmap="viridis", vmin=-0.6, vmax=0.6)
                axis.set_title(title if row == 0 else "")
                axis.set_ylabel("word")
            if texts is not None:
                np.atleast_2d(axes)[row][0].set_xlabel(texts[row][:LETTERS], fontsize=5)
        label_simulated(drawing, simulated)
        return save(drawing, path)

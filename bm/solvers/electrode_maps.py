"""Maps of values of electrodes on the head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..data.batch import Batch
from ..engine.solver import Solver
from ..figures.topography import draw_topographies


def draw_electrode_maps(
    solver: Solver, values: Mapping[str, np.ndarray], batch: Batch, path: Path
) -> None:
    """Draw values of electrodes on the head; log a line instead where there are no places.

    Args:
        solver: of the experiment.
        values: title -> (C,).
        batch: windows of the channel set that the values are of.
        path: file to write.
    """
    signal = solver.data.signals[int(batch.recording[0])]
    if set(signal.kinds) != {"eeg"}:  # a map is of the scalp
        return
    maps = {title: {"": np.asarray(value)} for title, value in values.items()}
    try:
        draw_topographies(maps, signal.positions, path, "", solver.data.facts.simulated)
    except ValueError as error:
        solver.log.line("no map of electrodes: %s", error)

"""Finished experiments with their recordings, for tests of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bm.data.recording import Recording
from bm.predict.predictor import Predictor
from bm.solvers.build_data import absolute_paths
from bm.studies import recordings_of
from bm.studies.choice import Choice
from bm.tests.experiments import run
from bm.xp.resolve import to_plain


class Trained:
    """An experiment that was run, and a predictor of its saved model.

    Attributes:
        solver: as it ended, with its data.
        predictor: opened from the saved folder alone.
        recordings: by the number of the segment table.
    """

    def __init__(self, folder: Path, *argv: str) -> None:
        self.solver: Any = run(folder, *argv)
        self.predictor = Predictor.from_pretrained(self.solver.folder)
        dset = to_plain(self.solver.cfg.dset)
        paths = absolute_paths(self.solver.cfg.paths)
        members, _ = recordings_of(dset["studies"], paths, Choice.of(dset))
        self.recordings: list[Recording] = list(members)

    def items(self) -> pd.DataFrame:
        """Return what the experiment wrote of each test window."""
        return pd.read_parquet(self.solver.folder / "items.parquet")

    def predictions(self, rows: np.ndarray, **options: Any) -> np.ndarray:
        """Predict windows of the segment table from their raw recordings, in the order of rows."""
        table = self.solver.data.table.iloc[rows]
        parts: dict[int, np.ndarray] = {}
        for number in sorted(set(table["recording"])):
            recording, signal = self.recordings[number], self.solver.data.signals[number]
            mine = table["recording"] == number
            starts = table["start"][mine].to_numpy() / signal.rate_hz + signal.shift_s
            person = f"{recording.id.study}/{recording.id.subject}"
            values = self.predictor.predict(
                recording.load_raw(), starts_s=starts, subject=person, **options
            )
            parts |= dict(zip(rows[mine.to_numpy()].tolist(), np.asarray(values), strict=True))
        return np.stack([parts[row] for row in rows.tolist()])

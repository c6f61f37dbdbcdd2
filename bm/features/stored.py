"""StoredEmbedding: an embedding of the sound that another program computed, from its file."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..data.sources import content_of
from ..errors import RecordingError, UserError
from . import FEATURES
from .base import Feature

if TYPE_CHECKING:
    import pandas as pd

COLUMN = "audio_embedding"
REMEDY = "compute it again, or fetch the archive again"


def read_embedding(path: Path) -> np.ndarray:
    """Read an embedding (D, T) float32 of a file of `torch.save`, of shape (1, D, T) or (D, T).

    No code of the file is run.

    Raises:
        RecordingError: missing, damaged or of another type, another shape, or not finite.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RecordingError(path, "no such embedding", REMEDY) from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = f"no tensor alone ({str(error).splitlines()[0][:80]})"
        raise RecordingError(path, reason, "save it anew with torch.save(tensor)") from None
    if not isinstance(values, torch.Tensor):
        raise RecordingError(path, f"holds {type(values).__name__}, no tensor", REMEDY)
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2 or not values.numel():
        raise RecordingError(path, f"shape {tuple(values.shape)}, not (1, D, T) or (D, T)", REMEDY)
    if not bool(torch.isfinite(values).all()):
        raise RecordingError(path, "holds NaN or inf", "compute the embedding again")
    return np.asarray(values.detach().float().numpy())


@FEATURES.register("StoredEmbedding")
class StoredEmbedding(Feature):
    """Rows of the file that column `audio_embedding` of a trial names, spread evenly over it.

    Args:
        width: D, numbers of an embedding.
    """

    name = "StoredEmbedding"
    kind = "trial"
    layout = "stretched"
    normalizable = True

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.dimension = width
        self.options = {"width": width}

    def needs(self, events: pd.DataFrame) -> list[tuple]:
        """Return the content of the files."""
        return [(content_of(str(path)),) for path in self._paths(events)]

    def rows(self, events: pd.DataFrame, rate_hz: float) -> Sequence[np.ndarray]:
        """Return the steps of each embedding.

        Raises:
            RecordingError: see `read_embedding`; or an embedding of another width.
        """
        rows = []
        for path in self._paths(events):
            values = read_embedding(path)
            if len(values) != self.dimension:
                reason = f"{len(values)} numbers a step, not {self.dimension}"
                raise RecordingError(path, reason, f"set width={len(values)} of the feature")
            rows.append(values.T.copy())
        return rows

    def _paths(self, events: pd.DataFrame) -> list[Path]:
        names = [str(name or "") for name in events.get(COLUMN, [""] * len(events))]
        missing = [n for n, name in enumerate(names) if not name or not Path(name).is_file()]
        if missing:
            raise UserError(
                f"feature StoredEmbedding: trial {missing[0]} names no file in `{COLUMN}` "
                f"({names[missing[0]] or 'empty'})"
            )
        return [Path(name) for name in names]

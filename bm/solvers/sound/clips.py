"""Clips: the sounds of windows, as one length for all."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...data.dataset import Dataset
from ...data.window_features import WindowFeatures
from ...errors import UserError
from ...models.eeg2speech.audio import AudioSettings

WAVE = "SoundWave"  # the feature that sounds come from
TOLERANCE = 1e-3  # of a clip by which a window may be longer: an inclusive end is one sample more


def check_clips(dataset: Dataset, audio: AudioSettings) -> None:
    """Raise `UserError` when windows are longer than clips, or sounds of another rate."""
    features = getattr(dataset.window_features, "features", {})
    rate = features[WAVE].rate_hz if WAVE in features else audio.rate_hz
    if rate != audio.rate_hz:
        raise UserError(
            f"dset.features: {WAVE} has {rate:g} Hz, model.audio.rate_hz={audio.rate_hz}: set "
            f"sound_hz={audio.rate_hz}"
        )
    window_s = dataset.facts.window_samples / dataset.facts.rate_hz
    if window_s > audio.duration_s * (1 + TOLERANCE) + 1 / dataset.facts.rate_hz:
        raise UserError(
            f"dset.segment.duration_s: windows of {window_s:g} s are longer than the clips of "
            f"{audio.duration_s:g} s (model.audio.duration_s); shorter ones are filled with silence"
        )


def waves_of(dataset: Dataset, rows: np.ndarray, features: WindowFeatures | None = None) -> Tensor:
    """Return the sounds (N, n) of windows of one length; signals are not read.

    Args:
        dataset: whose windows.
        rows: of its table.
        features: where sounds are read from; None = those of the data set.
    """
    features = features or dataset.window_features
    assert features is not None
    table = dataset.table.iloc[rows]
    recordings, starts = (table[c].to_numpy() for c in ("recording", "start"))
    values, _ = features.gather(recordings, starts, int(table["length"].iloc[0]))
    # a gathered block is reused by the next call
    return torch.as_tensor(values[WAVE][:, 0]).clone()


def silent(waves: Tensor, level: float = 1e-4) -> np.ndarray:
    """Return which sounds (N, n) hold nothing: (N,) bool."""
    return np.asarray((waves.abs().amax(1) <= level).cpu().numpy())

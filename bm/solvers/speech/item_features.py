"""Further features of a test item's word, beside its rank: part of speech, frequency, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.dataset import Dataset
from ...features.builder import FeatureBuilder, features_of
from ...metrics.words import OFFSETS
from ...xp.resolve import to_plain
from ..build_data import absolute_paths

if TYPE_CHECKING:
    from omegaconf import DictConfig

CHUNK = 256  # windows gathered at a time
AFTER = 2  # samples after the onset that are read first, as Défossez et al. 2023 read the word


def item_features_of(cfg: DictConfig, dataset: Dataset) -> FeatureBuilder | None:
    """Build the features of `dset.extra_test_features`, None when there are none.

    They are made of every recording at once, so that a mistake shows before training.
    """
    dset = to_plain(cfg.dset)
    if not dset.get("extra_test_features"):
        return None
    section = {**dset, "features": dset["extra_test_features"], "event_mask": False}
    return features_of(section, dataset.signals, absolute_paths(cfg.paths))


def values_at_events(
    builder: FeatureBuilder, dataset: Dataset, rows: np.ndarray, offset_s: float
) -> dict[str, list]:
    """Read the values of features at the events that windows are locked to.

    Two samples after the onset is read, then its neighbours when nothing is there.

    Args:
        builder: of the features.
        dataset: with its windows.
        rows: (N,) of its table, all of one length.
        offset_s: start of a window relative to its event.

    Returns:
        name -> N numbers, or lists of numbers for features of more than one dimension.
    """
    table = dataset.table
    values_of: dict[str, list] = {name: [] for name in builder.features}
    length, rate_hz = int(table["length"].iloc[rows[0]]), dataset.facts.rate_hz
    onset = round(-offset_s * rate_hz) + AFTER
    for first in range(0, len(rows), CHUNK):
        some = rows[first : first + CHUNK]
        owners, starts = (table[c].to_numpy()[some] for c in ("recording", "start"))
        for name, values in builder.gather(owners, starts, length)[0].items():
            feature, track = builder.features[name], values.numpy()  # (n, F, T')
            scale = (feature.rate_hz or rate_hz) / rate_hz
            last = track.shape[-1] - 1
            here = track[..., min(last, max(0, round(onset * scale)))].copy()
            for offset in OFFSETS[1:]:
                silent = (here == feature.default).all(1)
                place = min(last, max(0, round((onset + offset) * scale)))
                here[silent] = track[silent][..., place]
            values_of[name] += here[:, 0].tolist() if here.shape[1] == 1 else here.tolist()
    return values_of

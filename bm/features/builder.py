"""FeatureBuilder: several features of several recordings, served by window."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data.blocks import split_sounds
from ..data.gather import BlockPool
from ..data.signal import Signal
from ..data.window_features import FeatureKind
from ..errors import UserError
from . import build_feature
from .base import Feature
from .cache import FeatureCache, Rows, stacked
from .track import Track
from .words import WordSegment


class FeatureBuilder:
    """Features of recordings as tensors of windows.

    Args:
        features: in order, with different names.
        event_mask: the mask is true where there is a word, else everywhere.
        cache: of their rows.

    Attributes:
        features: name -> feature.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        event_mask: bool = False,
        cache: FeatureCache | None = None,
    ) -> None:
        self.features = {feature.name: feature for feature in features}
        if len(self.features) < len(features):
            raise UserError(f"dset.features: a name occurs twice in {[f.name for f in features]}")
        self.event_mask, self.cache = event_mask, cache or FeatureCache(None)
        self._tracks: list[dict[str, Track]] = []
        self._words: list[Track] = []
        self._keys: list[str] = []
        self._rates: list[float] = []
        self._pools = {name: BlockPool() for name in self.features}

    @property
    def kinds(self) -> tuple[FeatureKind, ...]:
        """Return name, dimension, cardinality and scaling of each feature."""
        return tuple(feature.description for feature in self.features.values())

    @property
    def identity(self) -> str:
        """Return a hash that changes whenever any value would."""
        text = json.dumps([self.event_mask, self._keys])
        return hashlib.sha256(text.encode()).hexdigest()

    def add(self, events: pd.DataFrame, rate_hz: float) -> None:
        """Add the next recording: its event table, and the rate of its signal."""
        tracks = {}
        for feature in self.features.values():
            grid_hz = feature.rate_hz or rate_hz
            its_events = events[events["kind"] == feature.kind].reset_index(drop=True)
            rows = self._rows(feature, its_events, grid_hz)
            tracks[feature.name] = Track(feature, rows.table, rows.counts, its_events, grid_hz)
        self._tracks.append(tracks)
        self._rates.append(rate_hz)
        if self.event_mask:
            words = events[events["kind"] == "word"].reset_index(drop=True)
            # The mask is a track of its own, because no feature of words need be asked for.
            there = torch.tensor([[0.0], *([[1.0]] * len(words))])
            self._words.append(Track(WordSegment(), there, [1] * len(words), words, rate_hz))

    def _rows(self, feature: Feature, events: pd.DataFrame, rate_hz: float) -> Rows:
        described = [feature.name, feature.version, feature.options, feature.needs(events)]
        # All that decides the rows, and not the recording: equal events share their rows, as those
        # of broderick2019, where everybody hears the same runs.
        key = json.dumps([*described, rate_hz], default=str)
        self._keys.append(hashlib.sha256(key.encode()).hexdigest())
        kind = np.int64 if feature.dtype is torch.int64 else np.float32
        default = np.full((1, feature.dimension), feature.default, kind)

        def compute() -> Rows:
            rows = stacked(list(feature.rows(events, rate_hz)), default)
            if not bool(torch.isfinite(rows.table).all()):
                raise UserError(f"feature {feature.name}: holds NaN or inf; check its events")
            return rows

        return self.cache.get(feature.name, key, compute)

    def gather(
        self, recordings: np.ndarray, starts: np.ndarray, length: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return features and mask of windows, see `data.window_features.WindowFeatures`."""
        windows = {name: self._windows(name, recordings, starts, length) for name in self.features}
        return windows, self._mask(recordings, starts, length)

    def _windows(
        self, name: str, recordings: np.ndarray, starts: np.ndarray, length: int
    ) -> Tensor:
        """Return windows (B, F, T'), T' by the feature's own rate; a transposed view."""
        feature, rate = self.features[name], self._rates[int(recordings[0])]
        grid_hz = feature.rate_hz or rate
        if grid_hz != rate:
            # Each start is rounded by itself, as the ends of events are (see `Track`).
            starts = np.array([round(s / rate * grid_hz) for s in starts], int)
            length = round(length / rate * grid_hz)
        # New memory costs more than the copy: 1.9 against 0.4 s for 256 windows of 1024 x 361.
        block = self._pools[name].take((len(starts), length, feature.dimension), feature.dtype)
        for place, recording, start in zip(
            block.unbind(), recordings.tolist(), starts.tolist(), strict=True
        ):
            self._tracks[recording][name].fill(place, start)
        return feature.finish(block.transpose(1, 2), grid_hz)

    def _mask(self, recordings: np.ndarray, starts: np.ndarray, length: int) -> Tensor:
        if not self.event_mask:
            return torch.ones(len(starts), length, dtype=torch.bool)
        rows = [
            self._words[r].index(int(start), length) > 0
            for r, start in zip(recordings.tolist(), starts, strict=True)
        ]
        return torch.from_numpy(np.stack(rows))


def within_blocks(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with sounds cut at the ends of blocks.

    A model of sound looks at the whole of it. Blocks are split into training and test, and windows
    lie inside a block: what a window sees of a sound must come from its own block alone.
    """
    blocks, sounds = (events[events["kind"] == kind] for kind in ("block", "sound"))
    if blocks.empty or sounds.empty:
        return events
    if "offset" not in sounds:
        sounds = sounds.assign(offset=0.0)
    sounds = sounds.assign(offset=sounds["offset"].astype(float).fillna(0.0))
    others = events[events["kind"] != "sound"]
    pieces = split_sounds(sounds, blocks)
    return pd.concat([others, pieces], ignore_index=True)


def features_of(
    dset: Mapping[str, Any],
    signals: Sequence[Signal],
    paths: Mapping[str, Path],
) -> FeatureBuilder:
    """Build the features that `dset.features` names, of every recording.

    Args:
        dset: plain section; `features` (list of names, or mappings with name and options),
            `event_mask` (true), `split_wav_as_block` (true).
        signals: of all recordings.
        paths: cache and models.
    """
    features = [build_feature(entry, paths["models"]) for entry in dset["features"]]
    cache = FeatureCache(paths["cache"])
    builder = FeatureBuilder(features, bool(dset.get("event_mask", True)), cache)
    for signal in signals:
        cut = dset.get("split_wav_as_block", True)
        events = within_blocks(signal.events) if cut else signal.events
        builder.add(events, signal.rate_hz)
    return builder

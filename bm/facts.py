"""DataFacts: what the data tell a model before it is built."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DataFacts:
    """Frozen record of the data a model is built for; saved beside its weights as JSON.

    Attributes:
        channels: C names in the order of `Batch.signal`.
        positions: C triples, metres (head coordinates) or, with dset.positions=layout, x, y and 0
            (see `layout`); empty when unknown.
        kinds: C channel kinds (eeg, meg, seeg, ecog).
        rate_hz: sampling rate after preprocessing.
        window_samples: T, samples per window.
        subjects: names; the index is `Batch.subject`.
        classes: class names; the index is `Batch.label`.
        values: names of the values in `Batch.label` where windows have values instead of classes.
        vocabulary: names that `Batch.channel_ids` index, of all channel sets; with one set they are
            `channels`.
        preprocess: steps before resampling, as in `dset.preprocess`; None = not known.
        features: dimension F of each target feature.
        scaler: statistics of the scaling, plain lists by name.
        simulated: true when any recording was made from equations.
        recipe: how windows are made of a recording, for `bm.Predictor`: `preprocess`, `rate_hz`,
            `positions`, `bads`, `keep_bad`, `segment` and `scale` of `dset`; `statistics` (centre
            and scale by recording) where each recording is scaled by its own. None = not known.
        outputs: what the network's outputs are: `kind` (classes, values, speech) and, by kind,
            `link`, `shift_samples`, `lowpass_hz`. None = not known.
    """

    channels: tuple[str, ...]
    rate_hz: float
    window_samples: int
    positions: tuple[tuple[float, float, float], ...] = ()
    kinds: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    features: dict[str, int] = field(default_factory=dict)
    scaler: dict[str, list[float]] = field(default_factory=dict)
    simulated: bool = False
    values: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    preprocess: tuple[dict[str, Any], ...] | None = None
    recipe: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None

    @property
    def n_channels(self) -> int:
        """Number of channels, C."""
        return len(self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DataFacts:
        """Build from what `to_dict` returned, also after JSON: lists become tuples again."""
        names = {f.name for f in dataclasses.fields(cls)}
        fixed: dict[str, Any] = {k: v for k, v in values.items() if k in names}
        for name in ("channels", "kinds", "subjects", "classes", "values", "vocabulary"):
            fixed[name] = tuple(fixed.get(name, ()))
        if fixed.get("preprocess") is not None:
            fixed["preprocess"] = tuple(map(dict, fixed["preprocess"]))
        fixed["positions"] = tuple(tuple(p) for p in fixed.get("positions", ()))
        return cls(**fixed)

"""What a saved model knows of its training data: channels, rate, units, names of conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...registry import check_known
from ..saved import FACTS
from .conditioning import UNKNOWN


@dataclass(frozen=True)
class Unit:
    """Unit in which recordings of a kind are stored, and what MNE-Python calls the kind.

    Attributes:
        name: of the unit.
        si: the unit in V or T.
        mne_type: channel type.
    """

    name: str
    si: float
    mne_type: str


UNITS = {
    "eeg": Unit("uV", 1e-6, "eeg"),
    "seeg": Unit("uV", 1e-6, "seeg"),
    "ecog": Unit("uV", 1e-6, "ecog"),
    "meg": Unit("fT", 1e-15, "mag"),
}


@dataclass(frozen=True)
class WaveFacts:
    """The entries of facts.json that waves need; the others are kept as they are.

    Attributes:
        channels: C names.
        rate_hz: sampling rate.
        window_samples: T of the training windows.
        positions: C triples, metres in head coordinates or of the sensor layout; empty when
            unknown (see `places`).
        kinds: C of eeg, meg, seeg, ecog; empty = all eeg.
        subjects, classes: names; the position is the number.
        scaler: `centre` and `scale` (C,) of the training data; empty when not scaled.
        simulated: true when any training recording was made from equations.
        others: further entries.
    """

    channels: tuple[str, ...]
    rate_hz: float
    window_samples: int
    positions: tuple[tuple[float, ...], ...] = ()
    kinds: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    scaler: dict[str, list[float]] = field(default_factory=dict)
    simulated: bool = False
    others: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Any) -> WaveFacts:
        """From a record with `to_dict`, or its entries.

        Raises:
            UserError: a kind of channel without a unit.
        """
        values = dict(facts if isinstance(facts, Mapping) else facts.to_dict())
        names = [name for name in cls.__dataclass_fields__ if name != "others" and name in values]
        known = {name: values.pop(name) for name in names}
        for name in ("channels", "kinds", "subjects", "classes"):
            known[name] = tuple(known.get(name, ()))
        known["positions"] = tuple(tuple(p) for p in known.get("positions", ()))
        for kind in known["kinds"]:
            check_known("kind of channel", kind, UNITS)
        return cls(**known, others=values)

    @classmethod
    def read(cls, folder: Path) -> WaveFacts:
        """From the folder of a saved model; `UserError` when it has no facts."""
        path = Path(folder) / FACTS
        if not path.exists():
            raise UserError(f"no saved model in {folder} ({FACTS} is missing)")
        return cls.of(json.loads(path.read_text()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they were read."""
        own = {n: getattr(self, n) for n in self.__dataclass_fields__ if n != "others"}
        return {**own, **self.others}

    @property
    def units(self) -> list[Unit]:
        """Of the C channels."""
        return [UNITS[kind] for kind in self.kinds or ("eeg",) * len(self.channels)]

    @property
    def places(self) -> np.ndarray | None:
        """(C, 3) positions in metres; None when one is unknown, or in the sensor layout."""
        places = np.array(self.positions, float).reshape(-1, 3)
        known = np.isfinite(places).all() and places.any(1).all()
        flat = not places[:, 2].any()  # of dset.positions=layout: x and y have no unit
        return places if len(places) and known and not flat else None

    @property
    def si(self) -> np.ndarray:
        """(C, 1) unit of each channel in V or T."""
        return np.array([unit.si for unit in self.units])[:, None]

    def scaled(self, waves: Tensor) -> Tensor:
        """Waves (N, C, T) in the units of the channels -> as the model has seen them."""
        centre, scale = self._scaling()
        return (waves - centre) / scale

    def unscaled(self, waves: Tensor) -> Tensor:
        """Inverse of `scaled`."""
        centre, scale = self._scaling()
        return waves * scale + centre

    def _scaling(self) -> tuple[Tensor, Tensor]:
        if not self.scaler:
            return torch.zeros(1, 1), torch.ones(1, 1)
        centre, scale = (torch.tensor(self.scaler[name])[:, None] for name in ("centre", "scale"))
        return centre, scale

    def numbers(self, kind: str, wanted: Any) -> list[int]:
        """Numbers of classes or subjects given by name or number, one or several.

        Args:
            kind: `classes` or `subjects`.
            wanted: -1 is "unknown".

        Raises:
            UserError: none given, unknown name, or number out of range.
        """
        names: Sequence[str] = getattr(self, kind)
        single = isinstance(wanted, str | int | np.integer)
        items = [wanted] if single else list(wanted)
        if not items:
            raise UserError(f"{kind}=[]: give a name or number, or leave it out")
        return [_number(kind, item, names) for item in items]


def _number(kind: str, item: Any, names: Sequence[str]) -> int:
    if isinstance(item, str) and item not in names and not item.lstrip("-").isdigit():
        check_known(f"name in {kind}", item, names)
    number = names.index(item) if item in names else int(item)
    if not UNKNOWN <= number < len(names):
        raise UserError(f"{kind}={item}: there are {len(names)}, numbered from 0 (-1 = unknown)")
    return number

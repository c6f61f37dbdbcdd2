"""Facts of a saved model's training data that waves need: channels, rate, units, conditions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...registry import check_known
from ..saved import FACTS, FactsRecord
from .conditioning import UNKNOWN

#: Classes or subjects by name or number, one or several.
Choice = str | int | Iterable[str | int]


@dataclass(frozen=True)
class Unit:
    """Unit in which recordings of a kind are stored, and the kind's name in MNE-Python.

    Attributes:
        name: of the unit.
        si: the unit in V or T.
        mne_type: channel type.
    """

    name: str
    si: float
    mne_type: str


#: by kind of channel; the names are those of the attribute `unit` of stored recordings
UNITS = {
    "eeg": Unit("uV", 1e-6, "eeg"),
    "seeg": Unit("uV", 1e-6, "seeg"),
    "ecog": Unit("uV", 1e-6, "ecog"),
    "meg": Unit("fT", 1e-15, "mag"),
}


@dataclass(frozen=True)
class WaveFacts:
    """Entries of facts.json that waves need; the others pass through unchanged.

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
    def of(cls, facts: FactsRecord | Mapping[str, Any]) -> WaveFacts:
        """Build from a record, or its entries.

        Raises:
            UserError: a kind of channel without a unit.
        """
        values = dict(facts if isinstance(facts, Mapping) else facts.to_dict())
        names = [name for name in cls.__dataclass_fields__ if name != "others" and name in values]
        entries = {name: values.pop(name) for name in names}
        for name in ("channels", "kinds", "subjects", "classes"):
            entries[name] = tuple(entries.get(name, ()))
        entries["positions"] = tuple(tuple(p) for p in entries.get("positions", ()))
        # here, not where a wave is written: an unknown unit must stop before the sampling
        for kind in entries["kinds"]:
            check_known("kind of channel", kind, UNITS)
        return cls(**entries, others=values)

    @classmethod
    def read(cls, folder: Path) -> WaveFacts:
        """Read the facts of a saved model's folder; raise `UserError` when it has none."""
        path = Path(folder) / FACTS
        if not path.exists():
            raise UserError(f"no saved model in {folder} ({FACTS} is missing)")
        try:
            return cls.of(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(f"{path}: damaged; restore it or save the model again") from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as they were read."""
        entries = {n: getattr(self, n) for n in self.__dataclass_fields__ if n != "others"}
        return {**entries, **self.others}

    @property
    def units(self) -> list[Unit]:
        """Units of the C channels."""
        return [UNITS[kind] for kind in self.kinds or ("eeg",) * len(self.channels)]

    @property
    def places(self) -> np.ndarray | None:
        """Positions (C, 3) in metres; None when one is unknown, or in the sensor layout."""
        places = np.array(self.positions, float).reshape(-1, 3)
        complete = np.isfinite(places).all() and places.any(1).all()
        flat = not places[:, 2].any()  # of dset.positions=layout: x and y have no unit
        return places if len(places) and complete and not flat else None

    @property
    def si(self) -> np.ndarray:
        """Unit (C, 1) of each channel in V or T."""
        return np.array([unit.si for unit in self.units])[:, None]

    def scaled(self, waves: Tensor) -> Tensor:
        """Scale waves (N, C, T) in the units of the channels as the training data were."""
        centre, scale = self._scaling()
        return (waves - centre) / scale

    def unscaled(self, waves: Tensor) -> Tensor:
        """Return waves (N, C, T) in the units of the channels: the inverse of `scaled`."""
        centre, scale = self._scaling()
        return waves * scale + centre

    def _scaling(self) -> tuple[Tensor, Tensor]:
        """Return centre and scale (C, 1), or 0 and 1 of data that were not scaled."""
        if not self.scaler:
            return torch.zeros(1, 1), torch.ones(1, 1)
        if "centre" not in self.scaler:
            raise UserError(
                f"dset.scale.kind={self.scaler.get('kind')}: the amplitude of each window is lost; "
                "waves need none or zscore"
            )
        centre, scale = (torch.tensor(self.scaler[name])[:, None] for name in ("centre", "scale"))
        return centre, scale

    def numbers(self, kind: str, choice: Choice) -> list[int]:
        """Return the numbers of classes or subjects chosen by name or number.

        Args:
            kind: `classes` or `subjects`.
            choice: one or several; -1 is "unknown".

        Raises:
            UserError: an empty list, an unknown name, or a number out of range.
        """
        names: Sequence[str] = getattr(self, kind)
        items = [choice] if isinstance(choice, str | int | np.integer) else list(choice)
        if not items:
            raise UserError(f"{kind}=[]: give a name or number, or leave it out")
        return [_number(kind, item, names) for item in items]


def _number(kind: str, item: str | int, names: Sequence[str]) -> int:
    """Return the number of one class or subject."""
    if isinstance(item, str) and item not in names and not item.lstrip("-").isdigit():
        check_known(f"name in {kind}", item, names)
    # a class may be called "1": names go before numbers
    number = names.index(item) if item in names else int(item)  # type: ignore[arg-type]
    if not UNKNOWN <= number < len(names):
        raise UserError(f"{kind}={item}: there are {len(names)}, numbered from 0 (-1 = unknown)")
    return number

"""Units of evidence: what was drawn anew when an experiment is done again, and what only repeats.

Windows of one person resemble each other, so that a thousand of them are one person's word. Every
interval and every test counts units, and nothing is claimed from fewer than `LEAST_UNITS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LEAST_UNITS = 6  # two-sided tests of the signs of five units end at p = 2 / 2**5 = 0.0625
#: Unit -> its plural, and the columns of items that name it; the first with two values counts.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "person": ("people", ("study", "subject")),
    "recording": ("recordings", ("study", "subject", "session", "run")),
    "session": ("sessions", ("study", "subject", "session")),
    "stimulus": ("stimuli", ("segment_hash",)),
}


@dataclass(frozen=True)
class Units:
    """Unit of each of N items.

    Attributes:
        name: person, recording, session or stimulus.
        codes: (N,) number of the unit, from 0.
        stimuli: (N,) number of the stimulus where units share stimuli: these are drawn anew too,
            and what is easy for one person is easy for all. None where they share none.
    """

    name: str
    codes: np.ndarray
    stimuli: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of units; of crossed ones the smaller of both numbers."""
        numbers = [len(np.unique(self.codes))]
        if self.stimuli is not None:
            numbers.append(len(np.unique(self.stimuli)))
        return min(numbers)

    @property
    def few(self) -> bool:
        """Whether there are too few for any claim."""
        return self.count < LEAST_UNITS

    def __str__(self) -> str:
        """Return `8 people`, or `8 people x 60 stimuli` where they are crossed."""
        text = counted(self.name, len(np.unique(self.codes)))
        if self.stimuli is None:
            return text
        return f"{text} x {counted('stimulus', len(np.unique(self.stimuli)))}"

    def take(self, rows: np.ndarray) -> Units:
        """Return the units of some items."""
        stimuli = None if self.stimuli is None else self.stimuli[rows]
        return Units(self.name, self.codes[rows], stimuli)


def counted(name: str, count: int) -> str:
    """Return a number of units in words: `1 person`, `8 people`."""
    plural = KINDS[name][0] if name in KINDS else f"{name}s"
    return f"{count} {name if count == 1 else plural}"


def names_of(items: pd.DataFrame, kind: str) -> np.ndarray | None:
    """Return the name of the unit of each item, (N,) text; None where the items do not say it."""
    columns = [c for c in KINDS[kind][1] if c in items]
    # the study alone names no person, and without a run a session is no recording
    if not columns or KINDS[kind][1][-1] not in columns:
        return None
    names: np.ndarray = items[columns[0]].astype(str).to_numpy(dtype=object)
    for column in columns[1:]:
        names = names + "/" + items[column].astype(str).to_numpy(dtype=object)
    return names


def units_of(items: pd.DataFrame) -> Units:
    """Return the units of items: people, else recordings, sessions or stimuli.

    One person's recordings are units of what is said of that person. Two to five people stay
    people: their recordings would be taken for so many independent witnesses.

    Args:
        items: one row per item, with the columns of `KINDS` that its solver knows.
    """
    units = Units("person", np.zeros(len(items), int))
    for kind in KINDS:
        names = names_of(items, kind)
        codes = None if names is None else np.unique(names, return_inverse=True)[1]
        if codes is not None and codes.max(initial=0) > 0:
            units = Units(kind, codes)
            break
    stimuli = names_of(items, "stimulus")
    if stimuli is None or units.name == "stimulus":
        return units
    shared = np.unique(stimuli, return_inverse=True)[1]
    pairs = np.unique(np.stack([units.codes, shared]), axis=1).shape[1]
    # every stimulus in one unit alone: then units hold all that is drawn anew
    nested = pairs == shared.max(initial=-1) + 1
    return units if nested else Units(units.name, units.codes, shared)

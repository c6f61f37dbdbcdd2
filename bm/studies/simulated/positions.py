"""Electrode positions: a committed table, since reading MNE's montage takes two seconds.

`unit` are the coordinates of the montage minus the centre of the least-squares sphere of all its
points, divided by the norm; `metres` are the montage's own. A test holds them equal to MNE's.
Nets: `positions` is standard_1005, `hydrocel` the 104 + Cz sites of GSN-HydroCel-129.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np

from ...errors import UserError, nearest

#: Old names of the 10-20 system.
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


NETS = ("positions", "hydrocel")


@functools.lru_cache(maxsize=len(NETS))
def table(net: str = "positions") -> dict[str, Any]:
    """A committed table: unit vectors and metres by name, fiducials, coordinate frame."""
    path = Path(__file__).with_name(f"{net}.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def standard(name: str, net: str = "positions") -> str:
    """Spelling of the table: `FP1` -> `Fp1`, `T3` -> `T7`."""
    known = {key.upper(): key for key in table(net)["unit"]}
    upper = OLD_NAMES.get(name.upper(), name).upper()
    if upper not in known:
        raise UserError(f"unknown electrode {name!r}{nearest(name, table(net)['unit'])}")
    return known[upper]


def unit(names: Sequence[str], net: str = "positions") -> np.ndarray:
    """Unit vectors of electrodes: (C, 3), x right, y front, z up."""
    return np.array([table(net)["unit"][standard(name, net)] for name in names])


def montage(names: Sequence[str], net: str = "positions") -> mne.channels.DigMontage:
    """The montage of a recording, in metres."""
    found = table(net)
    metres = {name: np.array(found["metres"][standard(name, net)]) for name in names}
    fiducials = {k: np.array(v) for k, v in found["fiducials"].items()}
    return mne.channels.make_dig_montage(metres, **fiducials, coord_frame=found["frame"])

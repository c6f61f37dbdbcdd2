"""Positions of electrodes from committed tables.

MNE takes two seconds to read a montage, every process again. Of each electrode a table has `unit`,
the coordinates of the montage minus the centre of the least-squares sphere of all its points,
divided by the norm, and `metres`, the montage's own. A test holds them equal to MNE's. The tables
are `positions` (standard_1005) and `hydrocel` (104 sites of GSN-HydroCel-129 and Cz, the net of the
ZuCo recordings).
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

#: Names of the 10-20 system -> names of the 10-10 system that replaced them.
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
NETS = ("positions", "hydrocel")


@functools.lru_cache(maxsize=len(NETS))
def table(net: str = "positions") -> dict[str, Any]:
    """Read a table: unit vectors and metres by name, fiducials, coordinate frame."""
    path = Path(__file__).with_name(f"{net}.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def standard(name: str, net: str = "positions") -> str:
    """Return the table's spelling of an electrode: `FP1` -> `Fp1`, `T3` -> `T7`.

    Raises:
        UserError: no such electrode in the table, with the nearest name.
    """
    spellings = {key.upper(): key for key in table(net)["unit"]}
    upper = OLD_NAMES.get(name.upper(), name).upper()
    if upper not in spellings:
        raise UserError(f"unknown electrode {name!r}{nearest(name, table(net)['unit'])}")
    return spellings[upper]


def unit(names: Sequence[str], net: str = "positions") -> np.ndarray:
    """Return unit vectors of electrodes: (C, 3), x right, y front, z up."""
    return np.array([table(net)["unit"][standard(name, net)] for name in names])


def montage(names: Sequence[str], net: str = "positions") -> mne.channels.DigMontage:
    """Return the montage of some electrodes, in metres."""
    content = table(net)
    metres = {name: np.array(content["metres"][standard(name, net)]) for name in names}
    fiducials = {k: np.array(v) for k, v in content["fiducials"].items()}
    return mne.channels.make_dig_montage(metres, **fiducials, coord_frame=content["frame"])

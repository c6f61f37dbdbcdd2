"""Places of electrodes on the head: the 10-05 system, and the geodesic nets by their numbers.

Coordinates are those of MNE's montages (`standard_1005`, `GSN-HydroCel-*`) minus the centre of the
least-squares sphere of all points, divided by the norm: x right, y front, z up. A test holds the
table equal to MNE's; reading a montage takes MNE two seconds, every process again.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

#: Names of the published table that the 10-05 system spells otherwise or lacks -> where they are:
#: the older 10-20 names, ears and mastoids (Nuwer et al. 2018), caps with a row between C and FC,
#: and the two sites of the cerebellum, a row below the parietal and occipital one.
SYNONYMS = {
    "T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "T1": "FT9", "T2": "FT10",
    "O9": "OI1", "O10": "OI2", "CB1": "POO9", "CB2": "POO10",
    "CFC1": "FCC1", "CFC2": "FCC2", "CFC3": "FCC3", "CFC4": "FCC4", "CFC5": "FCC5",
    "CFC6": "FCC6", "CFC7": "FTT7", "CFC8": "FTT8", "CCP7": "TTP7", "CCP8": "TTP8",
    "VREF": "CZ",
}  # fmt: skip
#: Electrodes of a geodesic net; a net of n may have one more, its reference at the vertex.
NETS = (32, 64, 128, 256)
GEODESIC = re.compile(r"E(\d+)")


@functools.lru_cache(maxsize=1)
def places() -> dict[str, dict[str, tuple[float, float, float]]]:
    """Read unit vectors by name, upper case, of `1005` and of each net by its number."""
    path = Path(__file__).with_name("electrode_places.json")
    tables = json.loads(path.read_text(encoding="utf-8"))
    return {key: {n: tuple(p) for n, p in table.items()} for key, table in tables.items()}


def net_of(names: Sequence[str]) -> int | None:
    """Return the smallest geodesic net that has all names `E<number>`; None without such names."""
    matches = [match for name in names if (match := GEODESIC.fullmatch(name.upper()))]
    if not matches:
        return None
    largest = max(int(match[1]) for match in matches)
    return next((net for net in NETS if largest <= net + 1), None)


def place_of(name: str, net: int | None = None) -> Tensor | None:
    """Return the unit vector (3,) float64 of an electrode, or of the middle of a pair `A-B`.

    Args:
        name: in any case.
        net: electrodes of the geodesic net that names `E<number>` are of.

    Returns:
        None for an electrode without a place.
    """
    upper = name.strip().upper()
    first, hyphen, second = upper.partition("-")
    if hyphen:
        ends = [place_of(end, net) for end in (first, second)]
        if ends[0] is None or ends[1] is None:
            return None
        middle = ends[0] + ends[1]
        return middle / middle.norm() if middle.norm() > 0 else None
    match = GEODESIC.fullmatch(upper)
    if match:
        # the reference of a net has the number after its last electrode, and is the vertex
        vertex = net is not None and int(match[1]) == net + 1
        table, key = ("1005", "CZ") if vertex else (str(net), upper)
    else:
        table, key = "1005", SYNONYMS.get(upper, upper)
    place = places().get(table, {}).get(key)
    return None if place is None else torch.tensor(place, dtype=torch.float64)

"""Intracranial contacts from the tables of BIDS: place, shaft, region, kind and state of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.shafts import shaft_of
from ..errors import RecordingError
from .bids import METRES, read_json
from .event_table import read_table
from .montage import clean_name

#: Columns of electrodes.tsv and channels.tsv with the region of the brain, as different labs call
#: them, in any case.
REGIONS = (
    *("region", "anat", "anatomy", "roi", "label", "location", "desikankilliany", "dkt", "aparc"),
    *("destrieux", "desikan_killiany", "destrieux_label_text", "dkt_label", "ez", "structure"),
)
#: A unit that is not stated is millimetres when contacts lie further out than any head in metres.
LARGEST_M = 0.5
COLUMNS = ("name", "x", "y", "z", "shaft", "region", "kind", "status")


def read_contacts(
    electrodes: Path | None, channels: Path | None = None, coordinates: Path | None = None
) -> pd.DataFrame:
    """Read the contacts of a person.

    Args:
        electrodes: electrodes.tsv; None = no places.
        channels: channels.tsv: kind, state and, as `group`, the shaft; None = of the names alone.
        coordinates: coordsystem.json, for the unit.

    Returns:
        one row for each contact of either table: name, x, y, z (m; NaN where unknown), shaft (of
        `group`, else of the name), region ("" where unknown), kind (seeg, ecog, ...), status.

    Raises:
        RecordingError: no column `name`, no table, or a contact twice.
    """
    tables = {path: _table(path) for path in (electrodes, channels) if path is not None}
    if not tables:
        raise RecordingError("contacts", "neither electrodes.tsv nor channels.tsv", "give one")
    rows: dict[str, dict[str, Any]] = {}
    for path, table in tables.items():
        for row in table.to_dict("records"):
            name = clean_name(str(row["name"]))
            values = rows.setdefault(name.upper(), {"name": name})
            values.update({k: v for k, v in _values(row).items() if v or k not in values})
            if path == electrodes:
                values.update({axis: row.get(axis) for axis in "xyz"})
    result = pd.DataFrame(list(rows.values()), columns=list(COLUMNS))
    result["shaft"] = [
        group or shaft_of(name) or ""
        for name, group in zip(result["name"], result["shaft"].fillna(""), strict=True)
    ]
    places = result[list("xyz")].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    result[list("xyz")] = places * _factor(places, coordinates)
    return result.fillna({"region": "", "kind": "", "status": ""})


def _table(path: Path) -> pd.DataFrame:
    table = read_table(path)
    if "name" not in table:
        raise RecordingError(path, "no column 'name'", "add it")
    names = [clean_name(str(name)).upper() for name in table["name"]]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RecordingError(path, f"{twice} is there twice", "remove one row")
    return table


def _values(row: Mapping[Any, Any]) -> dict[str, str]:
    """Return shaft, region, kind and state of a row, "" where it says nothing."""
    lower = {str(key).lower(): "" if value is None else str(value) for key, value in row.items()}
    region = next((lower[name] for name in REGIONS if lower.get(name)), "")
    group = lower.get("group", "")
    # One letter for grid, strip or depth is the kind of electrode, not its name.
    shaft = group if len(group) > 1 or group == shaft_of(lower["name"]) else ""
    return {
        "shaft": shaft,
        "region": region,
        "kind": lower.get("type", "").lower(),
        "status": lower.get("status", "").lower(),
    }


def _factor(places: np.ndarray, coordinates: Path | None) -> float:
    """Return metres of one unit of a table."""
    content = read_json(coordinates) if coordinates is not None else {}
    for key, value in content.items():
        if key.endswith("CoordinateUnits") and str(value).lower() in METRES:
            return METRES[str(value).lower()]
    finite = places[np.isfinite(places).all(1)] if len(places) else places
    largest = float(np.abs(finite).max()) if len(finite) else 0.0
    return 1e-3 if largest > LARGEST_M else 1.0


def regions_of(contacts: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the region of each channel; a difference of contacts has that of its first.

    Args:
        contacts: of `read_contacts`.
        names: of channels, such as `A1` or `A1-A2`.
    """
    regions = {str(n).upper(): str(r) for n, r in zip(contacts["name"], contacts["region"],
                                                      strict=True)}  # fmt: skip
    return [regions.get(name.split("-")[0].strip().upper(), "") for name in names]

"""Sidecars of BIDS: tables and JSON beside a recording, by the inheritance of their names."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.recording import Kind
from ..errors import RecordingError
from .event_table import read_table
from .montage import clean_name

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
SUFFIXES = ("eeg", "meg", "ieeg")
#: Of BIDS, and of MNE, which writes `x_raw.fif` beside `x_events.tsv`.
SUFFIX = re.compile(r"([-_](eeg|meg|ieeg|raw|t?sss))+$")
#: `type` of channels.tsv -> type of MNE; what is not here keeps the reader's type.
TYPES = {
    "EEG": "eeg",
    "SEEG": "seeg",
    "ECOG": "ecog",
    "DBS": "dbs",
    "EOG": "eog",
    "VEOG": "eog",
    "HEOG": "eog",
    "ECG": "ecg",
    "EMG": "emg",
    "TRIG": "stim",
    "MISC": "misc",
    "AUDIO": "misc",
    "REF": "misc",
    "RESP": "resp",
    "GSR": "gsr",
    "TEMP": "temperature",
    "OTHER": "misc",
}
METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
#: Believable median distance of electrodes from the origin (m): on a head, in head coordinates.
HEAD_M = (0.04, 0.16)


def entities(stem: str) -> dict[str, str]:
    """Return the entities of a BIDS name.

    >>> entities("sub-01_ses-2_task-rest_run-1_eeg")
    {'sub': '01', 'ses': '2', 'task': 'rest', 'run': '1'}
    """
    pairs = (part.split("-", 1) for part in stem.split("_") if "-" in part)
    return {key: value for key, value in pairs}


def prefix(stem: str) -> str:
    """Return a name without what it says of the file's kind.

    >>> prefix("sub-01_task-x_eeg"), prefix("s1_raw"), prefix("s1_raw_tsss"), prefix("s1-raw")
    ('sub-01_task-x', 's1', 's1', 's1')
    """
    head = SUFFIX.sub("", stem)
    return head or stem


class Listing:
    """Sorted names of tables and descriptions in folders, each folder read once.

    Of one walk over a study: files that appear later are not seen.
    """

    # Seven names are looked for beside each recording, and a data set may hold thousands of these.
    def __init__(self) -> None:
        self._names: dict[Path, list[str]] = {}
        self._ending: dict[tuple[Path, str], dict[str, None]] = {}

    def __call__(self, folder: Path) -> list[str]:
        """Return names in a folder that end in .tsv, .csv or .json; none without a folder."""
        if folder not in self._names:
            names = os.listdir(folder) if folder.is_dir() else []
            self._names[folder] = sorted(n for n in names if n.endswith((".tsv", ".csv", ".json")))
        return self._names[folder]

    def ending(self, folder: Path, ending: str) -> dict[str, None]:
        """Return those of the names that have an ending, in order."""
        if (folder, ending) not in self._ending:
            names = (name for name in self(folder) if name.endswith(ending))
            self._ending[folder, ending] = dict.fromkeys(names)
        return self._ending[folder, ending]


def find(path: Path, root: Path, ending: str, listing: Listing) -> Path | None:
    """Return the nearest file `..._<ending>` that applies to a recording.

    It lies in the recording's folder or above it, up to `root`; it carries the recording's whole
    name, or entities that all are the recording's (`space-` aside). A table of events must at
    least name the subject, or the task that all people share.
    """
    stem, head = path.stem, prefix(path.stem)
    of_recording = entities(head)
    whole = (f"{stem}_{ending}", f"{head}_{ending}")
    folder = path.parent
    while True:
        names = listing.ending(folder, ending)
        # The recording's whole name wins over any selection of its entities.
        for name in whole:
            if name in names:
                return folder / name
        best: tuple[int, Path] | None = None
        for name in names:
            stem = name[: -len(ending)].rstrip("_")
            of_file = {k: v for k, v in entities(stem).items() if k != "space"}
            is_bids = not stem or bool(of_file) or stem.startswith("space-")
            if not is_bids or any(of_recording.get(k) != v for k, v in of_file.items()):
                continue
            if ending.startswith("events.") and not {"sub", "task"} & set(of_file):
                continue
            if best is None or len(of_file) > best[0]:
                best = (len(of_file), folder / name)
        if best is not None:
            return best[1]
        if folder in (root, folder.parent):
            return None
        folder = folder.parent


@dataclass(frozen=True)
class Sidecars:
    """Files that BIDS puts beside a recording; each may be missing."""

    channels: Path | None = None
    electrodes: Path | None = None
    coordinates: Path | None = None
    events: Path | None = None
    description: Path | None = None
    participants: Path | None = None
    person: Mapping[str, Any] = field(default_factory=dict)

    def paths(self) -> tuple[Path, ...]:
        """Return all files, for checksums."""
        paths = (self.channels, self.electrodes, self.coordinates, self.events, self.description)
        return tuple(path for path in paths if path is not None)


def sidecars(
    path: Path, root: Path, subject: str, people: Mapping[str, Any], listing: Listing
) -> Sidecars:
    """Find everything beside a recording; `people` is the content of participants.tsv."""
    near = functools.partial(find, path, root, listing=listing)
    beside = path.with_name(f"{path.stem}.tsv")
    plain = beside if beside.name in listing.ending(path.parent, ".tsv") else None
    descriptions = (near(f"{suffix}.json") for suffix in SUFFIXES)
    return Sidecars(
        channels=near("channels.tsv"),
        electrodes=near("electrodes.tsv"),
        coordinates=near("coordsystem.json"),
        events=near("events.tsv") or plain or near("events.csv"),
        description=next((p for p in descriptions if p is not None), None),
        person=person_of(subject, people),
    )


def read_participants(root: Path) -> dict[str, dict[str, Any]]:
    """Read participants.tsv: subject (without `sub-`) -> columns; nothing without the file."""
    path = root / "participants.tsv"
    if not path.exists():
        return {}
    table = read_table(path)
    if "participant_id" not in table:
        raise RecordingError(path, "no column 'participant_id'", "add it")
    people: dict[str, dict[str, Any]] = {}
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        name = str(row.pop("participant_id")).removeprefix("sub-")
        if name in people:
            raise RecordingError(path, f"row {number}: {name} a second time", "remove one")
        people[name] = {str(k): v for k, v in row.items()}
    return people


def person_of(subject: str, people: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a person; 1 and 01 are the same unless both are there."""
    if subject in people:
        return dict(people[subject])
    if not subject.isdecimal():
        return {}
    same = [name for name in people if name.isdecimal() and int(name) == int(subject)]
    return dict(people[same[0]]) if len(same) == 1 else {}


def intracranial_kind(channels: Path | None) -> Kind:
    """Return what most channels of channels.tsv are, seeg or ecog; seeg without a table."""
    types = [] if channels is None else list(read_table(channels).get("type", []))
    counts = {kind: sum(str(t).lower() == kind for t in types) for kind in ("seeg", "ecog")}
    return "ecog" if counts["ecog"] > counts["seeg"] else "seeg"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RecordingError: it is none.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))  # Windows editors write a mark in front
    except (ValueError, UnicodeDecodeError) as error:
        raise RecordingError(path, f"no JSON ({error})", "repair it") from None
    if not isinstance(content, dict):
        raise RecordingError(path, "no JSON object", "repair it")
    return content


def apply_channels(raw: mne.io.BaseRaw, path: Path, kind: str) -> None:
    """Set the types and bad channels that channels.tsv names.

    Raises:
        RecordingError: no column `name`, or no name of this recording.
    """
    table = read_table(path)
    if "name" not in table:
        raise RecordingError(path, "no column 'name'", "add it")
    # Spelled alike first: contacts a1 and A1 may be on two shafts.
    spelling = {clean_name(name).upper(): name for name in raw.ch_names}
    spelling |= {clean_name(name): name for name in raw.ch_names}
    cleaned = [clean_name(str(name)) for name in table["name"]]
    names = [spelling.get(name, spelling.get(name.upper())) for name in cleaned]
    rows = list(zip(names, table.to_dict("records"), strict=True))
    if all(name is None for name in names):
        raise RecordingError(path, "names no channel of its recording", "check the names")
    strange = [name for name, matched in zip(cleaned, names, strict=True) if matched is None]
    if strange:
        logger.info("%s: no channels of its recording: %s", path, ", ".join(strange[:8]))
    types = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    stated = {
        name: TYPES[str(row.get("type")).upper()]
        for name, row in rows
        if name is not None and str(row.get("type")).upper() in TYPES
    }
    changed = {name: t for name, t in stated.items() if types[name] != t}
    if changed:
        # Units stay as they are read: a type does not change what a number means.
        raw.set_channel_types(changed, on_unit_change="ignore", verbose="error")
    bad = [n for n, row in rows if n is not None and str(row.get("status")).lower() == "bad"]
    if bad:
        logger.info("%s: bad channels: %s", path, ", ".join(bad))
        raw.info["bads"] = [*raw.info["bads"], *(n for n in bad if n not in raw.info["bads"])]


def apply_description(raw: mne.io.BaseRaw, path: Path) -> None:
    """Set the line frequency that the description of a recording states.

    Raises:
        RecordingError: it states another sampling rate than the recording has.
    """
    content = read_json(path)
    stated, rate = content.get("SamplingFrequency"), float(raw.info["sfreq"])
    # Descriptions round: 1e-3 of the rate is a drift of 3.6 s in an hour.
    if isinstance(stated, int | float) and abs(stated - rate) > 1e-3 * rate:
        reason = f"SamplingFrequency {stated:g} Hz, but the recording has {rate:g} Hz"
        raise RecordingError(path, reason, "correct the one that is wrong")
    line = content.get("PowerLineFrequency")
    if isinstance(line, int | float):
        with raw.info._unlock():
            raw.info["line_freq"] = float(line)


def apply_electrodes(raw: mne.io.BaseRaw, path: Path, coordinates: Path | None, kind: str) -> bool:
    """Set the positions of electrodes.tsv in metres; return false when they cannot be used.

    Electrodes of a cap whose distances are no head's (a unit sphere, a wrong unit) are named in
    the log and not used.
    """
    table = read_table(path)
    missing = [name for name in ("name", "x", "y", "z") if name not in table]
    if missing:
        raise RecordingError(path, f"no column {missing[0]!r}", "add it")
    factor = METRES.get(_unit(coordinates), 1.0)
    places = {
        clean_name(str(row["name"])).upper(): np.array([row["x"], row["y"], row["z"]], float)
        for row in _numeric(table).to_dict("records")
    }
    positions = {n: places[n.upper()] * factor for n in raw.ch_names if n.upper() in places}
    positions = {name: place for name, place in positions.items() if np.isfinite(place).all()}
    if not positions:
        logger.warning("%s: gives no position of any channel", path)
        return False
    radius = float(np.median([np.linalg.norm(place) for place in positions.values()]))
    if kind == "eeg" and not HEAD_M[0] <= radius <= HEAD_M[1]:
        logger.warning(
            "%s: electrodes %.3g m from the origin are on no head; positions not used", path, radius
        )
        return False
    for channel in raw.info["chs"]:
        channel["loc"][:3] = positions.get(channel["ch_name"], np.full(3, np.nan))
    return True


def _numeric(table: pd.DataFrame) -> pd.DataFrame:

    axes = {axis: pd.to_numeric(table[axis], errors="coerce") for axis in "xyz"}
    return table.assign(**axes)


def _unit(coordinates: Path | None) -> str:
    """Return the unit of coordsystem.json; metres when it says nothing."""
    content = read_json(coordinates) if coordinates is not None else {}
    values = [v for k, v in content.items() if k.endswith("CoordinateUnits")]
    return str(values[0]).lower() if values else "m"

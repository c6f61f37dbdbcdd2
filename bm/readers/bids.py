"""Sidecars of BIDS: tables and JSON beside a recording, by the inheritance of their names."""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.recording import Kind
from ..errors import RecordingError
from .event_table import read_table, spelled
from .hidden import is_hidden
from .montage import STANDARD, clean_name, standard_montage

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
SUFFIXES = ("eeg", "meg", "ieeg")
CHANNEL_COLUMNS = ("name", "type", "status")
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
    **dict.fromkeys(("EYEGAZE", "PUPIL", "PPG", "SYSCLOCK", "PD", "ADC", "DAC", "HLU"), "misc"),
    **dict.fromkeys(("FITERR", "ACCEL", "GYRO", "MAGN", "POS", "VEL", "ORNT", "JNTANG"), "misc"),
    **dict.fromkeys(("LATENCY", "PHOTO", "MIC"), "misc"),
    **dict.fromkeys(("STIM", "TRIGGER", "ANNOT"), "stim"),
}
#: Types that say nothing, or of sensors whose reader knows better.
UNTYPED = re.compile(r"(none|n/a|MEG.*|NIRS.*)$", re.IGNORECASE)
METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 1e-2),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e-3),
}
#: Systems whose x goes to the nose and y to the left; that of MNE goes to the right and the nose.
NOSE_FIRST = ("ctf", "eeglab", "eeglab-hj", "4dbti", "kityokogawa")
#: Least agreement of electrodes with the 10-05 system, of vectors from their middle.
AGREEMENT = 0.7
#: The same of contacts in the brain, in any scanner (m).
BRAIN_M = (0.002, 0.5)
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


#: Endings of the tables and descriptions that are read.
READ = (".tsv", ".csv", ".json")
#: Names of such files in any form: packed, in capitals, of another program.
TABLE = re.compile(
    r"(^|_)(events|channels|electrodes|coordsystem|participants)\.(tsv|csv|json|txt|xlsx?)"
    r"(\.(gz|zip|bz2))?$",
    re.IGNORECASE,
)


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
            names = sorted(os.listdir(folder)) if folder.is_dir() else []
            # `._sub-01_events.tsv` on drives that another system wrote is no table
            names = [name for name in names if not is_hidden(name)]
            self._names[folder] = [n for n in names if n.endswith(READ)]
            unread = [n for n in names if TABLE.search(n) and not n.endswith(READ)]
            if unread:
                text = "%s: %d tables are not read (%s); unpack or save them as .tsv"
                logger.warning(text, folder, len(unread), ", ".join(unread[:3]))
        return self._names[folder]

    def ending(self, folder: Path, ending: str) -> dict[str, None]:
        """Return those of the names that have an ending, in order."""
        if (folder, ending) not in self._ending:
            names = (name for name in self(folder) if name.endswith(ending))
            self._ending[folder, ending] = dict.fromkeys(names)
        return self._ending[folder, ending]


def find(
    path: Path, root: Path, ending: str, listing: Listing, spaces: Sequence[str | None] = ()
) -> Path | None:
    """Return the nearest file `..._<ending>` that applies to a recording.

    It lies in the recording's folder or above it, up to `root`; it carries the recording's whole
    name, or entities that all are the recording's (`space-` aside). A table of events must at
    least name the subject, or the task that all people share.

    Args:
        path: of the recording.
        root: of the study.
        ending: of the name.
        listing: of folders.
        spaces: values of `space-`, of which it has one; none = any.
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
            of_file = entities(stem)
            space = of_file.pop("space", None)
            if spaces and space not in spaces:
                continue
            is_bids = not stem or bool(of_file) or stem.startswith("space-")
            if not is_bids or any(not _same(k, v, of_recording) for k, v in of_file.items()):
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


def _same(key: str, value: str, of_recording: Mapping[str, str]) -> bool:
    """Return whether a recording has an entity; run 1 is run 01."""
    other = of_recording.get(key, "")
    number = key == "run" and value.isdecimal() and other.isdecimal()
    return int(value) == int(other) if number else value == of_recording.get(key)


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
    electrodes = near("electrodes.tsv")
    space = None if electrodes is None else entities(electrodes.stem).get("space")
    # The unit of another space is another unit.
    coordinates = near("coordsystem.json", spaces=() if space is None else (space, None))
    return Sidecars(
        channels=near("channels.tsv"),
        electrodes=electrodes,
        coordinates=coordinates,
        events=near("events.tsv") or plain or near("events.csv"),
        description=next((p for p in descriptions if p is not None), None),
        person=person_of(subject, people),
    )


def read_participants(root: Path) -> dict[str, dict[str, Any]]:
    """Read participants.tsv: subject (without `sub-`) -> columns; nothing without the file."""
    path = root / "participants.tsv"
    if not path.exists():
        return {}
    table = spelled(read_table(path), ("participant_id",))
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
    table = None if channels is None else spelled(read_table(channels), CHANNEL_COLUMNS)
    types = [] if table is None else list(table.get("type", []))
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
    table = spelled(read_table(path), CHANNEL_COLUMNS)
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
    unknown = {str(row.get("type")) for name, row in rows if name is not None}
    unknown = {t for t in unknown if t.upper() not in TYPES and not UNTYPED.match(t)}
    if unknown:
        shown = ", ".join(sorted(unknown)[:8])
        logger.warning("%s: types that are not known, of channels that stay: %s", path, shown)
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
    stated, rate = _number(content.get("SamplingFrequency")), float(raw.info["sfreq"])
    # Descriptions round: 1e-3 of the rate is a drift of 3.6 s in an hour.
    if stated is not None and abs(stated - rate) > 1e-3 * rate:
        reason = f"SamplingFrequency {stated:g} Hz, but the recording has {rate:g} Hz"
        raise RecordingError(path, reason, "correct the one that is wrong")
    line = _number(content.get("PowerLineFrequency"))
    if line is not None:
        with raw.info._unlock():
            raw.info["line_freq"] = line


def _number(value: object) -> float | None:
    """Return a number of a description, also one that is written as text."""
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def apply_electrodes(raw: mne.io.BaseRaw, path: Path, coordinates: Path | None, kind: str) -> bool:
    """Set the positions of electrodes.tsv in metres; return false when they cannot be used.

    Electrodes whose distances are no head's (a unit sphere, a wrong or unknown unit), or that lie
    elsewhere than their names say, are named in the log and not used.
    """
    table = spelled(read_table(path), ("name", "x", "y", "z"))
    missing = [name for name in ("name", "x", "y", "z") if name not in table]
    if missing:
        raise RecordingError(path, f"no column {missing[0]!r}", "add it")
    unit, system = _frame(coordinates, kind)
    if unit not in METRES:
        logger.warning("%s: unit %r is no length; positions not used", coordinates, unit)
        return False
    places = _places(table, path)
    positions = {n: places[n.upper()] * METRES[unit] for n in raw.ch_names if n.upper() in places}
    positions = {name: place for name, place in positions.items() if np.isfinite(place).all()}
    if not positions:
        logger.warning("%s: gives no position of any channel", path)
        return False
    radius = float(np.median([np.linalg.norm(place) for place in positions.values()]))
    low, high = HEAD_M if kind == "eeg" else BRAIN_M
    if not low <= radius <= high:
        logger.warning(
            "%s: electrodes %.3g m from the origin are on no head; positions not used", path, radius
        )
        return False
    turned = to_the_right(positions)
    stated = turned if system in NOSE_FIRST else positions
    other = positions if system in NOSE_FIRST else turned
    if kind == "eeg" and agreement(stated) < AGREEMENT:
        if agreement(other) < AGREEMENT:
            logger.warning("%s: electrodes are not where names say; positions not used", path)
            return False
        logger.warning("%s: x and y are not as its coordinate system says; exchanged", path)
        stated = other
    for channel in raw.info["chs"]:
        channel["loc"][:3] = stated.get(channel["ch_name"], np.full(3, np.nan))
    return True


def _places(table: pd.DataFrame, path: Path) -> dict[str, np.ndarray]:
    """Return name in capitals -> place; NaN for a name with two places."""
    places: dict[str, np.ndarray] = {}
    for row in _numeric(table).to_dict("records"):
        name = clean_name(str(row["name"])).upper()
        place = np.array([row["x"], row["y"], row["z"]], float)
        if name in places and not np.allclose(places[name], place, equal_nan=True):
            logger.warning("%s: two places of %s; neither is used", path, name)
            place = np.full(3, np.nan)
        places[name] = place
    return places


def to_the_right(positions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return places with x to the nose and y to the left as x to the right and y to the nose."""
    return {name: np.array([-y, x, z]) for name, (x, y, z) in positions.items()}


@functools.cache
def _standard_places() -> Mapping[str, np.ndarray]:
    """Return name in capitals -> place in the 10-05 system."""
    places = standard_montage(STANDARD).get_positions()["ch_pos"]
    return {name.upper(): place for name, place in places.items()}


def agreement(positions: Mapping[str, np.ndarray]) -> float:
    """Return how well places agree with those that names have in the 10-05 system.

    The correlation of the vectors from the middle: 1 = the same shape and orientation, and also
    when fewer than four names are known.
    """
    upper = _standard_places()
    names = [name for name in positions if name.upper() in upper]
    if len(names) < 4:
        return 1.0
    vectors = np.array([positions[name] for name in names])
    wanted = np.array([upper[name.upper()] for name in names])
    vectors, wanted = (v - v.mean(0) for v in (vectors, wanted))
    size = np.linalg.norm(vectors) * np.linalg.norm(wanted)
    return float((vectors * wanted).sum() / size) if size else 0.0


def _numeric(table: pd.DataFrame) -> pd.DataFrame:

    axes = {axis: pd.to_numeric(table[axis], errors="coerce") for axis in "xyz"}
    return table.assign(**axes)


def _frame(coordinates: Path | None, kind: str) -> tuple[str, str]:
    """Return unit and name of the coordinate system of electrodes; metres when nothing is said."""
    content = read_json(coordinates) if coordinates is not None else {}
    prefix = {"eeg": "EEG", "meg": "MEG"}.get(kind, "iEEG")
    # Fiducials and coils have units of their own in the same file.
    units = [content.get(f"{word}CoordinateUnits") for word in (prefix, "EEG", "iEEG", "MEG")]
    unit = str(next((u for u in units if u is not None), "m")).strip().lower()
    system = str(content.get(f"{prefix}CoordinateSystem", "")).strip().lower()
    return ("m" if unit in ("", "n/a") else unit), system

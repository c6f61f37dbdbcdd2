"""Trials from arrays: which axis is what, how many there are, who each is, what it is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..errors import RecordingError
from .array_file import ArrayFile, Header, open_arrays
from .array_names import PER_TRIAL, by_split, split_named
from .event_table import read_table
from .raw import UNITS

AXES = ("trials", "channels", "samples")
#: Other spellings of units in files.
SPELLINGS = {"µv": "uV", "μv": "uV", "microvolt": "uV", "microvolts": "uV", "volt": "V", "v": "V",
             "mv": "mV", "uv": "uV", "nv": "nV", "t": "T", "ft": "fT", "pt": "pT"}  # fmt: skip
#: Columns of a table that count the trials.
NUMBERS = (
    "trial",
    "trials",
    "epoch",
    "index",
    "trial_id",
    "trial_index",
    "epoch_id",
    "n",
    "unnamed 0",
)
#: Without names of channels their axis is believed to be at most 1 / RATIO of that of samples.
RATIO = 2


@dataclass(frozen=True)
class TrialOptions:
    """What a user says of files of trials; see the arguments of `bm.studies.arrays.Arrays`."""

    signal: str | Mapping[str, str] | None = None
    names: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    columns: Sequence[str] = ()
    axes: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    rate_hz: float | None = None
    unit: str | None = None
    crop: Sequence[int] | None = None
    unlabelled: bool = False


class Trials(ABC):
    """Trials of a file.

    Attributes:
        path, parts: the file, and all that are read.
        table: one row for each trial: label, subject, session, split and further columns, as far
            as they are known.
        n_channels, n_samples: of each trial.
        rate_hz: sampling rate.
        unit: of the numbers; None = V or T.
    """

    path: Path
    parts: tuple[Path, ...]
    table: pd.DataFrame
    n_channels: int
    n_samples: int
    rate_hz: float
    unit: str | None = None

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the trials of some rows: (n, C, T)."""

    @abstractmethod
    def info(self, kind: str) -> mne.Info:
        """Return MNE's description of the channels."""


@dataclass(frozen=True)
class Part:
    """One array of trials: its name, its split ("" = none) and the place of each axis."""

    name: str
    split: str
    order: tuple[int, ...]


class ArrayTrials(Trials):
    """Trials of a file of arrays, with a table of text beside it when there is one.

    Args:
        path: the file.
        options: of the user.
        members: of `.npy` files, name -> file.
        table: text with one row for each trial.

    Raises:
        RecordingError: anything that leaves open what the numbers are.
    """

    def __init__(
        self,
        path: Path,
        options: TrialOptions,
        members: Mapping[str, Path] | None = None,
        table: Path | None = None,
    ) -> None:
        self.path, self.options = path, options
        self.file: ArrayFile = open_arrays(path, members)
        self.parts = (*self.file.parts, *((table,) if table else ()))
        self.names = self._channel_names()
        self.rate_hz, self.unit = self._rate(), self._unit()
        signals = self._signals()
        rows = read_table(table) if table is not None else None
        columns = self._columns(signals, () if rows is None else tuple(map(str, rows)))
        sections, sizes = [], {}
        for split, name in signals.items():
            header = self.file.headers[name]
            order, sizes[name] = self._order(name, header)
            count = header.shape[order[0]]
            values = self._values(split, columns, name, count)
            places = {"part": Part(name, split, order), "place": range(count)}
            sections.append(pd.DataFrame({**values, **places}, index=range(count)))
        self.table = pd.concat(sections, ignore_index=True)
        if rows is not None:
            self._join(rows, table)
        self._check_sizes(sizes)

    # what the numbers are -----------------------------------------------------------------

    def _scalar(self, role: str) -> Any:
        """Return the value of a role with a single value, from an array or an attribute."""
        for name in by_split(self.path, self.file.headers, role, None).values():
            return np.ravel(self.file.read(name)).tolist()
        for name in by_split(self.path, self.file.words, role, None).values():
            return np.ravel(self.file.words[name]).tolist()
        return None

    def _stated(self, role: str) -> Any:
        """Return the only value that the file has for a role, None without one.

        Raises:
            RecordingError: several values, as a unit for each channel.
        """
        values = [v.decode() if isinstance(v, bytes) else v for v in self._scalar(role) or ()]
        if len(set(values)) > 1:
            listed = ", ".join(map(str, dict.fromkeys(values)))
            reason = f"several values of {role} ({listed})"
            raise RecordingError(self.path, reason, "bring all channels to one, and save that")
        return values[0] if values else None

    def _rate(self) -> float:
        values, option = self._stated("rate_hz"), self.options.rate_hz
        try:
            stated = None if values is None else float(values)
        except ValueError:
            reason = f"its rate is {values!r}"
            raise RecordingError(self.path, reason, "save a number of Hz") from None
        if option is None and stated is None:
            raise RecordingError(self.path, "no sampling rate", "give the study's `rate_hz`")
        if option is not None and stated is not None and abs(option - stated) > 1e-6 * stated:
            reason = f"rate_hz={option:g}, but the file says {stated:g} Hz"
            raise RecordingError(self.path, reason, "leave the study's `rate_hz` out, or mend it")
        rate = float(option if option is not None else stated)  # type: ignore[arg-type]
        if not (np.isfinite(rate) and rate > 0):
            raise RecordingError(self.path, f"a rate of {rate:g} Hz", "give the study's `rate_hz`")
        return rate

    def _unit(self) -> str:
        stated, option = self._stated("unit"), self.options.unit
        text = option if option is not None else stated
        listed = ", ".join(UNITS)
        if text is None:
            raise RecordingError(self.path, "no unit of the numbers", f"give `unit`: {listed}")
        unit = unit_of(text)
        if unit is None:
            raise RecordingError(self.path, f"unknown unit {text!r}", f"give `unit`: {listed}")
        if stated is not None and unit_of(stated) not in (unit, None):
            reason = f"unit={unit}, but the file says {stated}"
            raise RecordingError(self.path, reason, "leave the study's `unit` out, or mend it")
        return unit

    def _channel_names(self) -> tuple[str, ...] | None:
        values = self.options.channels
        if values is None:
            values = self._scalar("channels")
            if values is None or not all(isinstance(value, str | bytes) for value in values):
                return None
        names = [v.decode() if isinstance(v, bytes) else str(v).strip() for v in values]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise RecordingError(self.path, f"two channels {twice!r}", "rename one of them")
        return tuple(names)

    def _signals(self) -> dict[str, str]:
        """Return split -> name of the array of trials."""
        headers = self.file.headers
        names = by_split(self.path, headers, "signal", self.options.signal)
        if not names:
            cubes = [n for n, header in headers.items() if header.numeric and len(header.shape) > 2]
            names = {"": cubes[0]} if len(cubes) == 1 else {}
        if not names:
            listed = ", ".join(f"{n} {h.shape} {h.kind}" for n, h in list(headers.items())[:8])
            reason = f"which array holds the trials? it has {listed or 'none'}"
            raise RecordingError(self.path, reason, "name it: the study's `signal`")
        return names

    # which axis is what -------------------------------------------------------------------

    def _order(self, name: str, header: Header) -> tuple[tuple[int, ...], tuple[int, int]]:
        """Return the places of trials, channels and samples in an array, and C and T."""
        where = f"array {name} {header.shape}"
        if header.kind == "object":
            self.file.read(name)  # raises
        if not header.numeric:
            raise RecordingError(self.path, f"{where} holds {header.kind}", "save real numbers")
        axes = self.options.axes
        if axes is not None:
            if len(axes) != len(header.shape):
                reason = f"{where} has {len(header.shape)} axes, not {', '.join(axes)}"
                raise RecordingError(self.path, reason, "change the study's `axes`")
            order = tuple(list(axes).index(axis) for axis in AXES if axis in axes)
        elif len(header.shape) == 3:
            order = (0, 1, 2)
        else:
            remedy = "save (trials, channels, samples), or say `axes: [trials, samples]`"
            if len(header.shape) == 2:
                remedy += " of one channel; continuous recordings are read by dset=folder"
            raise RecordingError(self.path, f"{where} is {len(header.shape)}-D", remedy)
        sizes = [header.shape[place] for place in order]
        if not all(sizes):
            raise RecordingError(self.path, f"{where} is empty", "leave it out")
        channels = sizes[1] if len(sizes) == 3 else 1
        self._check_order(where, channels, sizes[-1])
        return order, (channels, sizes[-1])

    def _check_order(self, where: str, channels: int, samples: int) -> None:
        """Raise unless it is clear that an axis is that of channels and not of samples."""
        if self.names is not None and len(self.names) != channels:
            hint = "; its axis of samples has as many" * (len(self.names) == samples)
            reason = f"{where}: {len(self.names)} names for {channels} channels{hint}"
            raise RecordingError(self.path, reason, "change the study's `channels` or `axes`")
        clear = self.options.axes is not None or channels * RATIO <= samples
        if not clear and (self.names is None or channels == samples):
            raise RecordingError(
                self.path,
                f"{where}: {channels} could be channels or samples, and {samples} as well",
                "say `axes: [trials, channels, samples]` or the other order",
            )

    def _check_sizes(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        first, *others = sizes.items()
        for name, (channels, samples) in others:
            for noun, one, other in zip(
                ("channels", "samples"), first[1], (channels, samples), strict=True
            ):
                if one != other:
                    reason = f"array {first[0]} has {one} {noun}, array {name} {other}"
                    raise RecordingError(self.path, reason, "save trials of one size, or two files")
        self.n_channels, length = first[1]
        start, stop = self.options.crop or (0, length)
        if not 0 <= start < stop <= length:
            reason = f"crop [{start}, {stop}] of trials of {length} samples"
            raise RecordingError(self.path, reason, "change the study's `crop`")
        self.span = (start, stop)
        self.n_samples = stop - start

    # what is known of each trial ----------------------------------------------------------

    def _columns(
        self, signals: Mapping[str, str], of_table: Sequence[str]
    ) -> dict[str, dict[str, str]]:
        """Return role or column -> split -> name of its array, unless the table has that column."""
        rest = {n: h for n, h in self.file.headers.items() if n not in signals.values()}
        wishes = {role: self.options.names.get(role) for role in PER_TRIAL}
        wishes |= {column: column for column in self.options.columns}
        if self.options.unlabelled:
            wishes.pop("label")
        return {
            role: by_split(self.path, rest, role, wish)
            for role, wish in wishes.items()
            if wish not in of_table
        }

    def _values(
        self, split: str, columns: Mapping[str, Mapping[str, str]], signal: str, count: int
    ) -> dict[str, Any]:
        """Return the values of each column for the trials of one array."""
        values: dict[str, Any] = {}
        for column, names in columns.items():
            if not names:
                continue
            if split not in names:
                reason = f"array {signal} has no {column} (only {', '.join(names.values())})"
                raise RecordingError(self.path, reason, f"name it: the study's `{column}`")
            values[column] = self._vector(names[split], column, signal, count)
        if split:
            values["split"] = [split] * count
        elif "split" in values:
            values["split"] = [split_named(self.path, value) for value in values["split"]]
        return values

    def _vector(self, name: str, column: str, signal: str, count: int) -> list[Any]:
        """Return an array with one value for each trial."""
        array = np.asarray(self.file.read(name))
        if array.ndim > 1 and max(array.shape) == array.size:
            array = array.ravel()  # MATLAB's columns and rows
        shape = self.file.headers[signal].shape
        if array.ndim != 1:
            hint = "give the number of the class, argmax" if array.ndim == 2 else "save one"
            reason = f"array {name} {array.shape} is not one {column} for each trial"
            raise RecordingError(self.path, reason, hint)
        if len(array) != count:
            axes = [AXES[place] for place, size in enumerate(shape[:3]) if size == len(array)]
            hint = f"; is its axis {shape.index(len(array))} that of trials?" if axes else ""
            reason = f"array {name} has {len(array)} {column}s for {count} trials of array {signal}"
            reason += f" {shape}{hint}"
            raise RecordingError(self.path, reason, "mend the array, or say the study's `axes`")
        return plain_values(self.path, array, name)

    def _join(self, rows: pd.DataFrame, path: Path | None) -> None:
        """Add the columns of a table of text that no array has."""
        if len(rows) != len(self.table):
            reason = f"{len(rows)} rows for {len(self.table)} trials of {self.path.name}"
            raise RecordingError(path or self.path, reason, "give one row for each trial, in order")
        _check_numbers(rows, path or self.path)
        for role in PER_TRIAL[int(self.options.unlabelled) :]:
            wish = self.options.names.get(role)
            name = wish if wish in rows else None
            columns = by_split(path or self.path, map(str, rows), role, name)  # type: ignore[arg-type]
            if "" not in columns or (role in self.table and wish is not None and name is None):
                continue
            values = plain_values(path or self.path, rows[columns[""]].to_numpy(), role)
            if role == "split":
                values = [split_named(path or self.path, value) for value in values]
            self._compare(role, values, path or self.path)
            self.table[role] = values
        for name in self.options.columns:
            if name in rows:
                self.table[name] = rows[name].to_numpy()

    def _compare(self, role: str, values: Sequence[Any], path: Path) -> None:
        """Raise when arrays say something else of the trials than a table of text."""
        if role not in self.table:
            return
        pairs = zip(self.table[role], values, strict=True)
        row = next((i for i, (one, two) in enumerate(pairs) if str(one) != str(two)), None)
        if row is not None:
            reason = f"{role} of trial {row + 1} is {str(values[row])!r}, in {self.path.name} "
            reason += repr(str(self.table[role][row]))
            raise RecordingError(path, reason, f"remove one, or name one by the study's `{role}`")

    # reading ------------------------------------------------------------------------------

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the trials of some rows: (n, C, T) float64, in the unit of the file."""
        table = self.table.iloc[rows]
        start, stop = self.span
        trials = np.empty((len(rows), self.n_channels, self.n_samples))
        names = np.array([part.name for part in table["part"]])
        for part in dict.fromkeys(table["part"]):
            members = np.flatnonzero(names == part.name)
            places = table["place"].to_numpy(int)[members]
            values = np.take(self.file.read(part.name), places, axis=part.order[0])
            values = np.transpose(values, part.order)
            trials[members] = (values if values.ndim == 3 else values[:, None])[..., start:stop]
        return trials

    def info(self, kind: str) -> mne.Info:
        """Return channels with the names of the file or the user, else numbers from 1 on."""
        names = self.names or [str(number + 1) for number in range(self.n_channels)]
        return mne.create_info(list(names), self.rate_hz, "mag" if kind == "meg" else "eeg")


def _check_numbers(rows: pd.DataFrame, path: Path) -> None:
    """Raise when a column counts the trials, and rows are in another order."""
    for name in (name for name in rows if str(name).lower() in NUMBERS):
        values = pd.to_numeric(rows[name], errors="coerce").to_numpy(float)
        counts = np.sort(values)
        if len(rows) > 1 and (np.diff(counts) == 1).all() and (np.diff(values) != 1).any():
            reason = f"column {name!r} counts the trials in another order"
            raise RecordingError(path, reason, "sort its rows as the trials are, or rename it")


def plain_values(path: Path, array: np.ndarray, name: str) -> list[Any]:
    """Return values as text or as whole numbers, where they are whole.

    Raises:
        RecordingError: a missing value.
    """
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind in "US":
        values = [str(value).strip() for value in array]
        missing = [row for row, value in enumerate(values) if not value]
    elif array.dtype.kind == "f":
        missing = np.flatnonzero(~np.isfinite(array)).tolist()
        whole = not missing and bool((array == np.round(array)).all())
        values = array.astype(int).tolist() if whole else array.tolist()
    else:
        values = array.tolist()
        missing = [row for row, value in enumerate(values) if value is None or value != value]
    if missing:
        reason = f"{name} of trial {missing[0] + 1} is missing ({len(missing)} in all)"
        raise RecordingError(path, reason, "leave these trials out")
    return values


def unit_of(text: object) -> str | None:
    """Return a unit in the spelling of `UNITS`, None for another word."""
    word = str(text).strip()
    return word if word in UNITS else SPELLINGS.get(word.lower())

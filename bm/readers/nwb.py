"""Time series of NWB files, read as plain HDF5: numbers or texts with their rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..data.hdf5 import dataset_of
from ..errors import RecordingError, there_is

FETCH = "fetch the file again, or leave it out"


@dataclass(frozen=True)
class Series:
    """A time series.

    Attributes:
        values: (T,) or (T, C); numbers are in the stated unit, texts are str.
        rate_hz: sampling rate.
        unit: as stated, empty where nothing is.
    """

    values: np.ndarray
    rate_hz: float
    unit: str


def read_series(path: Path, name: str) -> Series:
    """Read one acquired time series of a file.

    Args:
        path: `.nwb`.
        name: of the series below `acquisition`.

    Raises:
        RecordingError: no HDF5, no such series, no rate, or data outside of the file.
    """
    try:
        with h5py.File(path) as file:
            data = dataset_of(file, f"acquisition/{name}/data")
            if data is None:
                group = file.get("acquisition")
                hint = there_is(map(str, group or ()), name)
                raise RecordingError(path, f"no series {name!r} acquired ({hint})", FETCH)
            return Series(_values(data), _rate(path, file, name), _text(data.attrs.get("unit")))
    except OSError as error:
        raise RecordingError(path, f"no readable NWB file ({error})", FETCH) from None


def _rate(path: Path, file: h5py.File, name: str) -> float:
    start = dataset_of(file, f"acquisition/{name}/starting_time")
    rate = float(start.attrs.get("rate", 0.0)) if start is not None else 0.0
    if rate > 0:
        return rate
    times = dataset_of(file, f"acquisition/{name}/timestamps")
    if times is None or len(times) < 2:
        raise RecordingError(path, f"series {name!r} states no rate", FETCH)
    # Stamps are rounded: the rate is that of the whole, not of single steps.
    return float((len(times) - 1) / (times[-1] - times[0]))


def _values(data: h5py.Dataset) -> np.ndarray:
    if h5py.check_string_dtype(data.dtype) is not None or data.dtype.kind in "SO":
        return np.array([_text(value) for value in data[()]], dtype=object)
    scale = float(data.attrs.get("conversion", 1.0)), float(data.attrs.get("offset", 0.0))
    values = data[()]
    return values if scale == (1.0, 0.0) else values * scale[0] + scale[1]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")

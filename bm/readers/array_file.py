"""Files of named arrays: NumPy's `.npz` and `.npy`, MATLAB's `.mat` of any version, HDF5.

Names, shapes and kinds are read without the values. Nothing of a file is run: object arrays, which
are pickles, and HDF5 links that leave the file are refused.
"""

from __future__ import annotations

import functools
import logging
import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from scipy.io import loadmat, whosmat

from ..errors import RecordingError
from .edf import FETCH

logger = logging.getLogger(__name__)
ENDINGS = (".npz", ".npy", ".mat", ".h5", ".hdf5")
OBJECT = "object"
#: Classes of MATLAB variables that hold numbers or text.
MATLAB_KINDS = {
    **dict.fromkeys(("double", "single"), "float"),
    **dict.fromkeys([f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)], "int"),
    "logical": "bool",
    "char": "text",
}
KINDS = {
    "f": "float",
    "i": "int",
    "u": "int",
    "b": "bool",
    "U": "text",
    "S": "text",
    "c": "complex",
}
#: Attributes that change what numbers mean -> the value with which they do not (netCDF, NWB).
FACTORS = {"scale_factor": 1, "add_offset": 0, "conversion": 1}
#: The same, where some writers have applied them already.
PERHAPS = {"scale": 1, "gain": 1, "offset": 0}
#: Arrays of one file that stay in memory, so that the recordings in it do not read it again.
IN_MEMORY = 4


@dataclass(frozen=True)
class Header:
    """Shape of an array and the kind of its values: float, int, bool, text, complex or object."""

    shape: tuple[int, ...]
    kind: str

    @property
    def numeric(self) -> bool:
        """Whether the values are real numbers."""
        return self.kind in ("float", "int")


class ArrayFile(ABC):
    """Arrays of a file by name.

    Args:
        path: the file.

    Attributes:
        parts: all files that are read.
        words: small values that stand beside arrays, as attributes of HDF5 do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts: tuple[Path, ...] = (path,)
        self.words: dict[str, Any] = {}
        if not path.is_file() or path.stat().st_size == 0:
            raise RecordingError(path, "missing or empty", FETCH)
        with self._errors():
            self.headers = self._headers()

    @abstractmethod
    def _headers(self) -> dict[str, Header]:
        """Return name -> shape and kind of every array."""

    @abstractmethod
    def _read(self, name: str) -> np.ndarray:
        """Return the values of an array."""

    def read(self, name: str) -> np.ndarray:
        """Return the values of an array; large ones may be mapped and not be in memory.

        Raises:
            RecordingError: objects, damaged bytes.
        """
        if self.headers[name].kind == OBJECT:
            raise RecordingError(
                self.path,
                f"array {name} {self.headers[name].shape} holds objects (a pickle or cells)",
                "save it as one array of numbers or of text; trials of different sizes as files",
            )
        with self._errors():
            return self._read(name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (MemoryError, RecordingError):
            raise
        except Exception as error:
            # The libraries raise anything from zlib.error to KeyError on damaged bytes.
            text = " ".join(str(error).split())[:160]
            reason = f"cannot be read ({type(error).__name__}: {text})"
            raise RecordingError(self.path, reason, FETCH) from error


class NpzFile(ArrayFile):
    """Archive of `numpy.savez`."""

    def _headers(self) -> dict[str, Header]:
        headers = {}
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                if not member.filename.endswith(".npy"):
                    continue
                with archive.open(member) as stream:
                    shape, dtype = _npy_header(stream)
                size = int(np.prod(shape, dtype=object)) * dtype.itemsize
                # A header may promise more than there is, and NumPy would take that much memory.
                if not dtype.hasobject and member.file_size < size:
                    reason = f"array {member.filename[:-4]} has {member.file_size} of {size} bytes"
                    raise RecordingError(self.path, reason, FETCH)
                kind = OBJECT if dtype.hasobject else KINDS.get(dtype.kind, dtype.kind)
                headers[member.filename.removesuffix(".npy")] = Header(shape, kind)
        return headers

    def _read(self, name: str) -> np.ndarray:
        return _npz_member(self.path, _stamp(self.path), name)


class NpyFiles(ArrayFile):
    """Files of `numpy.save` that belong together: name of the array -> file.

    Args:
        path: the file of the signal.
        members: all of them.
    """

    def __init__(self, path: Path, members: Mapping[str, Path]) -> None:
        self.members = dict(members)
        super().__init__(path)
        self.parts = tuple(dict.fromkeys((path, *self.members.values())))

    def _headers(self) -> dict[str, Header]:
        headers = {}
        for name, path in self.members.items():
            with open(path, "rb") as stream:
                shape, dtype = _npy_header(stream)
            kind = OBJECT if dtype.hasobject else KINDS.get(dtype.kind, dtype.kind)
            headers[name] = Header(shape, kind)
        return headers

    def _read(self, name: str) -> np.ndarray:
        return np.load(self.members[name], mmap_mode="r", allow_pickle=False)


class MatFile(ArrayFile):
    """MATLAB file up to version 7.2."""

    def _headers(self) -> dict[str, Header]:
        return {
            name: Header(tuple(shape), MATLAB_KINDS.get(kind, OBJECT))
            if kind != "cell"
            else self._cell(name, tuple(shape))
            for name, shape, kind in whosmat(self.path)
        }

    def _cell(self, name: str, shape: tuple[int, ...]) -> Header:
        """Return a cell array of words as text; other cells are objects."""
        words = _cell_words(loadmat(self.path, variable_names=[name])[name])
        return Header(shape, OBJECT if words is None else "text")

    def _read(self, name: str) -> np.ndarray:
        values = _mat_variable(self.path, _stamp(self.path), name)
        words = _cell_words(values) if values.dtype == object else None
        return values if words is None else words


class Hdf5File(ArrayFile):
    """HDF5, and MATLAB 7.3, which stores the axes of an array in reverse."""

    def _headers(self) -> dict[str, Header]:
        headers: dict[str, Header] = {}
        with h5py.File(self.path, "r") as file:
            self.walked: list[h5py.h5g.GroupID] = []
            self.reversed = b"MATLAB 7.3" in self.path.open("rb").read(128)
            self._walk(file, "", headers)
        return headers

    def _walk(self, group: h5py.Group, prefix: str, headers: dict[str, Header]) -> None:
        # A group may be found below itself.
        if group.id in self.walked:
            return
        self.walked.append(group.id)
        self.words |= {str(k): v for k, v in group.attrs.items() if not k.startswith("MATLAB")}
        for key in group:
            if isinstance(group.get(key, getlink=True), h5py.ExternalLink) or key == "#refs#":
                continue
            if isinstance(group.get(key, getlink=True), h5py.SoftLink):
                continue  # the name that it leads to is listed as well
            item = group[key]
            if isinstance(item, h5py.Group):
                self._walk(item, f"{prefix}{key}/", headers)
            elif isinstance(item, h5py.Dataset):
                headers[prefix + key] = self._header(item)
                self._check_factors(prefix + key, item)
                self.words |= {
                    str(k): v for k, v in item.attrs.items() if not str(k).startswith("MATLAB")
                }

    def _check_factors(self, name: str, data: h5py.Dataset) -> None:
        """Raise when attributes say that the numbers are to be multiplied or moved."""
        for key, value in data.attrs.items():
            neutral = {**FACTORS, **PERHAPS}.get(str(key).lower())
            if neutral is None or np.all(np.asarray(value) == neutral):
                continue
            reason = f"array {name} has the attribute {key}={value}, which is not applied"
            if str(key).lower() in FACTORS:
                raise RecordingError(self.path, reason, "save the numbers that are meant")
            logger.warning("%s: %s", self.path, reason)

    def _header(self, data: h5py.Dataset) -> Header:
        kind = KINDS.get(data.dtype.kind, OBJECT)
        if h5py.check_string_dtype(data.dtype) is not None:
            kind = "text"
        matlab = _text(data.attrs.get("MATLAB_class", b""))
        if matlab:
            kind = MATLAB_KINDS.get(matlab, OBJECT)
            if matlab == "cell":
                kind = "text" if _hdf5_words(data) is not None else OBJECT
        if data.external or data.is_virtual:
            kind = OBJECT  # its values lie in another file
        return Header(data.shape[::-1] if self.reversed else data.shape, kind)

    def _read(self, name: str) -> np.ndarray:
        return _hdf5_array(self.path, _stamp(self.path), name, self.reversed)


def open_arrays(path: Path, members: Mapping[str, Path] | None = None) -> ArrayFile:
    """Open a file of arrays by its ending.

    Args:
        path: the file.
        members: of `.npy`, which hold one array each: name -> file.

    Raises:
        RecordingError: missing, empty, damaged.
    """
    ending = path.suffix.lower()
    if ending == ".npz":
        return NpzFile(path)
    if ending == ".npy":
        return NpyFiles(path, members or {path.stem: path})
    if ending == ".mat" and not (path.is_file() and h5py.is_hdf5(path)):
        return MatFile(path)
    return Hdf5File(path)


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    # Version 3 differs from 2 in the encoding of field names alone, which plain arrays lack.
    shape, _, dtype = read[min(version[0], 2)](stream)
    return shape, dtype


def _stamp(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=IN_MEMORY)
def _npz_member(path: Path, stamp: tuple[int, int], name: str) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        return archive[name]


@functools.lru_cache(maxsize=IN_MEMORY)
def _mat_variable(path: Path, stamp: tuple[int, int], name: str) -> np.ndarray:
    return np.asarray(loadmat(path, variable_names=[name])[name])


@functools.lru_cache(maxsize=IN_MEMORY)
def _hdf5_array(path: Path, stamp: tuple[int, int], name: str, reverse: bool) -> np.ndarray:
    """Read an array, its axes in the order of the program that wrote it."""
    with h5py.File(path, "r") as file:
        data = file[name]
        matlab = _text(data.attrs.get("MATLAB_class", b""))
        words = _hdf5_words(data) if matlab == "cell" else None
        if words is not None:
            return words
        values = data.asstr()[()] if h5py.check_string_dtype(data.dtype) else data[()]
    values = np.asarray(values).T if reverse else np.asarray(values)
    if matlab == "char":
        return np.array(["".join(map(chr, row)) for row in np.atleast_2d(values)])
    return values.astype(str) if values.dtype == object else values


def _hdf5_words(data: h5py.Dataset) -> np.ndarray | None:
    """Return the words of a MATLAB cell array, None when it holds anything else."""
    cells = [data.file[reference] for reference in np.ravel(data[()])]
    if any(_text(cell.attrs.get("MATLAB_class", b"")) != "char" for cell in cells):
        return None
    return np.array(["".join(map(chr, np.ravel(cell[()].T))) for cell in cells])


def _cell_words(cells: np.ndarray) -> np.ndarray | None:
    """Return the words of a cell array as scipy reads it, None when it holds anything else."""
    words = [np.ravel(cell) for cell in cells.ravel()]
    if any(len(word) > 1 or word.dtype.kind != "U" for word in words):
        return None
    return np.array(["".join(word) for word in words])


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

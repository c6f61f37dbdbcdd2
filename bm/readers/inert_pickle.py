"""Pickles read as plain data: lists, numbers, text, arrays and records, and no other type.

Unpickling runs whatever the file names. Here names are looked up in a short list and never
imported; arrays and records of attributes are rebuilt by inert stand-ins from what is stored.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from ..errors import RecordingError

#: Names of dictionaries whose keys are attributes, in whatever module a program has its own.
RECORDS = ("DotDict", "AttrDict", "AttributeDict", "Bunch", "EasyDict", "SimpleNamespace")
#: Kinds of numpy's numbers and texts that have no pointers inside.
KINDS = "biufSU"
FETCH = "fetch the original file again, or convert it to .npz and read it by dset=arrays"


class Record(dict[str, Any]):
    """A stand-in for a dictionary of attributes."""

    def __setstate__(self, state: Any) -> None:
        """Take attributes that are stored beside the items."""
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.update(part)


class _Type:
    """A stand-in for numpy's dtype: its letter and size, then its order of bytes."""

    def __init__(self, name: Any, *flags: Any) -> None:
        self.name, self.order = str(name), "="

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        if self.name[:1] not in KINDS and self.name[:1] != "O":
            raise pickle.UnpicklingError(f"values of numpy's kind {self.name}")
        order = "" if self.order in "=|" else self.order
        return np.dtype(f"{order}{self.name}")


class _Array:
    """A stand-in for numpy's array, filled by its state; `value` is the array."""

    def __init__(self, value: np.ndarray | None = None) -> None:
        self.value = value

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, columns_first, raw = state
        order: Literal["C", "F"] = "F" if columns_first else "C"
        dtype = kind.dtype()
        if dtype.kind == "O":
            # Objects are those of this reader; a list holds them without numpy's pointers.
            flat = np.empty(len(raw), dtype=object)
            flat[:] = raw
        else:
            flat = np.frombuffer(raw, dtype)
        self.value = flat.reshape(shape, order=order)


def _reconstruct(kind: object, shape: object, letter: object) -> _Array:
    return _Array()


def _from_buffer(
    raw: bytes, kind: Any, shape: tuple[int, ...], order: Literal["C", "F"] = "C"
) -> _Array:
    return _Array(np.frombuffer(raw, kind.dtype()).reshape(shape, order=order))


def _scalar(kind: Any, raw: bytes) -> Any:
    return np.frombuffer(raw, kind.dtype())[0].item()


def _bytes(text: str, encoding: str = "latin1") -> bytes:
    # How protocols 0 to 2 store bytes; other codecs could unpack a bomb.
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in {encoding}")
    return text.encode("latin1")


def _rebuild(kind: Any, base: Any, state: Any) -> Record:
    """Build a record as protocols 0 and 1 store it: its class, `dict`, and the items."""
    if kind is not Record or base is not dict:
        raise pickle.UnpicklingError("a class that is rebuilt from another than dict")
    return Record(state)


class _Function:
    """A function that a pickle may call and cannot change: the operation BUILD sets attributes."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *values: Any) -> Any:
        return self.function(*values)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it sets attributes of a function")


#: Names as pickles have them -> what stands for them; numpy's modules of versions 1 and 2.
STAND_INS: dict[str, Any] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "_codecs.encode": _Function(_bytes),
    "copyreg._reconstructor": _Function(_rebuild),
    "copy_reg._reconstructor": _Function(_rebuild),
    "builtins.dict": dict,
    "__builtin__.dict": dict,
    "collections.OrderedDict": dict,
} | {
    f"numpy.{core}.{name}": _Function(function)
    for core in ("core", "_core")
    for name, function in (
        ("multiarray._reconstruct", _reconstruct),
        ("multiarray.scalar", _scalar),
        ("numeric._frombuffer", _from_buffer),
    )
}


class _Reader(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def __init__(self, file: IO[bytes], records: Sequence[str]) -> None:
        super().__init__(file)
        self.records = records

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name; raise for any that is not in the list."""
        if f"{module}.{name}" in STAND_INS:
            return STAND_INS[f"{module}.{name}"]
        if name.rpartition(".")[2] in self.records:
            return Record
        raise pickle.UnpicklingError(f"it names the type {module}.{name}")

    def persistent_load(self, pid: object) -> Any:
        """Refuse what another program would look up."""
        raise pickle.UnpicklingError("it points to objects outside of the file")


def read_pickle(path: Path, records: Sequence[str] = ()) -> Any:
    """Read a pickle of plain data without importing or running anything that it names.

    Args:
        path: of the file.
        records: further names of dictionaries of attributes, besides `RECORDS`.

    Returns:
        lists, dictionaries, texts, numbers and arrays; records are dictionaries.

    Raises:
        RecordingError: damaged, or it names any other type.
    """
    try:
        with open(path, "rb") as file:
            content = _Reader(file, (*RECORDS, *records)).load()
        return plain(content)
    except OSError as error:
        raise RecordingError(path, f"cannot be read ({error.strerror or error})", FETCH) from None
    except pickle.UnpicklingError as error:
        reason = f"not read, because it is damaged or would run code of its own ({error})"
        raise RecordingError(path, reason, FETCH) from None
    except Exception as error:
        # A damaged stream of operations fails anywhere, with anything: MemoryError among them,
        # where it says that terabytes follow.
        reason = f"no readable pickle ({type(error).__name__}: {error})"
        raise RecordingError(path, reason, FETCH) from None


def plain(value: object) -> Any:
    """Return a value with arrays in place of their stand-ins."""
    convert: Callable[[Any], Any] = plain
    if isinstance(value, _Array):
        if value.value is None:
            raise pickle.UnpicklingError("an array without values")
        if value.value.dtype == object:
            return [convert(item) for item in value.value.tolist()]
        return value.value
    if isinstance(value, dict):
        return {str(key): convert(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [convert(item) for item in value]
    if value is None or isinstance(value, str | bytes | int | float | bool):
        return value
    raise pickle.UnpicklingError(f"a value of type {type(value).__name__}")

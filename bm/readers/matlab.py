"""MATLAB files up to version 7.2: variables, and errors that name the damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import RecordingError
from .edf import FETCH


def read_matlab(path: Path, *names: str) -> dict[str, Any]:
    """Read variables of a MATLAB file; structures have their fields as attributes.

    Args:
        path: the file.
        names: variables that must be in it.

    Raises:
        RecordingError: missing, empty, damaged, or without one of `names`.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise RecordingError(path, "missing or empty", FETCH)
    from scipy.io import loadmat  # a study that reads another format does not wait for it

    try:
        variables = dict(loadmat(path, struct_as_record=False, squeeze_me=True))
    except NotImplementedError:
        # Version 7.3 is HDF5, with structures that scipy does not read.
        raise RecordingError(path, "MATLAB 7.3 file", "save it with -v7 in MATLAB") from None
    except Exception as error:
        # scipy raises anything from zlib.error to MatReadError on a damaged file.
        reason = f"no MATLAB file ({type(error).__name__}: {error})"
        raise RecordingError(path, reason, FETCH) from error
    missing = [name for name in names if name not in variables]
    if missing:
        present = ", ".join(name for name in variables if not name.startswith("__"))
        raise RecordingError(path, f"no variable `{missing[0]}` (it has {present})", FETCH)
    return variables

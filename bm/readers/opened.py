"""Files that a reader opens, so that all of them are watched, whatever they are called."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_local = threading.local()
_hook: list[bool] = []
#: What an interpreter and its packages open: modules, tables of electrodes, time zones.
OWN = tuple(
    os.path.realpath(folder) + os.sep
    for folder in {sys.prefix, sys.base_prefix, str(Path(__file__).parents[1]), "/usr", "/etc",
                   "/proc", "/sys", "/dev", str(Path.home() / ".mne")}
)  # fmt: skip


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    paths: dict[str, None] | None = getattr(_local, "paths", None)
    if event != "open" or paths is None:
        return
    name, mode = arguments[0], arguments[1]
    if isinstance(name, int) or (isinstance(mode, str) and set(mode) & set("wax+")):
        return
    paths[os.path.abspath(os.fsdecode(name))] = None


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Collect the files that are opened for reading in this thread while the context lasts.

    Yields:
        list that is filled at the end: absolute paths of the user's files, in order.
    """
    # Readers of MNE take a name and find the other files themselves; an audit hook of Python sees
    # all that are opened. It cannot be removed again, and does nothing outside the context.
    if not _hook:
        sys.addaudithook(_note)
        _hook.append(True)
    former, _local.paths = getattr(_local, "paths", None), {}
    files: list[str] = []
    try:
        yield files
    finally:
        paths, _local.paths = list(_local.paths), former
        files += [path for path in paths if os.path.isfile(path) and not is_own(path)]


def is_own(path: str) -> bool:
    """Return whether a file is of the installation rather than of the user."""
    return os.path.realpath(path).startswith(OWN)

"""Search of a folder for recordings: what is one, what lies beside one, what is left out."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import RecordingError
from .raw import ENDINGS

logger = logging.getLogger(__name__)
#: Endings of recordings that are folders (CTF, EGI).
FOLDERS = (".ds", ".mff")
#: Folders of a BIDS data set that hold no further recording of it.
BIDS_ASIDE = ("derivatives", "sourcedata", "code", "stimuli")
#: Files by which a folder says that it is a BIDS data set.
BIDS_MARKS = ("dataset_description.json", "participants.tsv")


@dataclass
class Walk:
    """What a search finds.

    Attributes:
        root: folder that is searched.
        tables: whether tables of samples (`.csv`) are recordings.
        paths: of recordings, in order of their names.
        errors: what cannot be read: folders, devices, names.
    """

    root: Path
    tables: bool = False
    paths: list[Path] = field(default_factory=list)
    errors: list[RecordingError] = field(default_factory=list)

    def search(self) -> Walk:
        """Search the folder and all below it; links are followed, each folder once."""
        aside = BIDS_ASIDE if is_bids(self.root) else ()
        self._enter(self.root, aside, {})
        self.paths.sort()
        return self

    def _enter(
        self, folder: Path, aside: tuple[str, ...], visited: dict[tuple[int, int], Path]
    ) -> None:
        try:
            status = folder.stat()
            names = sorted(os.listdir(folder))
        except OSError as error:
            reason = f"the folder cannot be read ({error.strerror or error})"
            remedy = "change its permissions, or choose by `files`"
            self.errors.append(RecordingError(folder, reason, remedy))
            return
        # A link may lead to a folder above it, or to one that is searched anyway.
        first = visited.setdefault((status.st_dev, status.st_ino), folder)
        if first != folder:
            logger.warning("%s leads to %s, which is read once", folder, first)
            return
        for name in names:
            path = folder / name
            if name.startswith(".") or (folder == self.root and name in aside):
                continue
            self._take(path, aside, visited)

    def _take(
        self, path: Path, aside: tuple[str, ...], visited: dict[tuple[int, int], Path]
    ) -> None:
        ending = path.suffix.lower()
        if path.is_dir():
            if ending in FOLDERS:
                self.paths.append(path)
            else:
                self._enter(path, aside, visited)
            return
        if not is_recording(path) or (ending == ".csv" and not self.tables):
            return
        problem = problem_of(path)
        if problem is not None:
            self.errors.append(problem)
        else:
            self.paths.append(path)


def is_bids(root: Path) -> bool:
    """Return whether a folder is a BIDS data set."""
    try:
        names = os.listdir(root)
    except OSError:
        return False
    people = any(name.startswith("sub-") for name in names)
    return people or any(mark in names for mark in BIDS_MARKS)


def is_recording(path: Path) -> bool:
    """Return whether a name is one of a recording."""
    # Recordings of 4D/BTi have no ending: their names hold "pdf" (processed data file).
    bti = "pdf" in path.name and not path.suffix
    double = path.name.lower().endswith(".fif.gz")
    return path.suffix.lower() in ENDINGS or double or bti


def problem_of(path: Path) -> RecordingError | None:
    """Return why a file cannot be opened whatever is in it, or None."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return RecordingError(path, "its name is no UTF-8 text", "rename it")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        reason = f"{error.strerror or error}".lower()
        if path.is_symlink():
            reason = f"a link to {os.readlink(path)}, which is not there"
        return RecordingError(path, reason, "fetch what it leads to, or remove it")
    if not stat.S_ISREG(mode):
        return RecordingError(path, "neither a file nor a folder", "leave it out by `files`")
    return None


def choose(root: Path, patterns: list[str]) -> Iterator[Path]:
    """Yield what patterns below a folder name, each once, in order of the names."""
    paths = {path for pattern in patterns for path in root.glob(pattern)}
    yield from sorted(p for p in paths if not p.is_dir() or p.suffix.lower() in FOLDERS)

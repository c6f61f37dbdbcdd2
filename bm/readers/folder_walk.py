"""Search of a folder for recordings: what is one, what lies beside one, what is left out."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import RecordingError
from .fif_parts import first_parts
from .hidden import is_hidden
from .raw import ENDINGS, FOREIGN

logger = logging.getLogger(__name__)
#: Endings of recordings that are folders (CTF, EGI).
FOLDERS = (".ds", ".mff")
#: Folders of a BIDS data set that hold no further recording of it.
BIDS_ASIDE = ("derivatives", "sourcedata", "code", "stimuli")
#: Endings behind that of a recording, of packed ones and of downloads that have not ended.
PACKED = (".gz", ".bz2", ".xz", ".zst")
PARTIAL = (".part", ".partial", ".filepart", ".crdownload", ".download", ".aria2", ".tmp")
#: Archives, in which recordings may lie.
ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")
#: Files by which a folder says that it is a BIDS data set.
BIDS_MARKS = ("dataset_description.json", "participants.tsv")


@dataclass
class Walk:
    """What a search finds.

    Attributes:
        root: folder that is searched.
        tables: whether tables of samples (`.csv`) are recordings.
        patterns: of paths below `root`, the only ones that count; None = all. Folders that they
            name in full are searched also where they are hidden or set aside.
        paths: of recordings, in order of their names.
        errors: what cannot be read: folders, devices, names, later parts without the first.
        foreign: recordings of formats that are not read.
        packed: recordings and archives that must be unpacked first, and parts of downloads.
        spare_tables: tables (`.csv`) that are not taken for recordings.
    """

    root: Path
    tables: bool = False
    patterns: Sequence[str] | None = None
    paths: list[Path] = field(default_factory=list)
    errors: list[RecordingError] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)
    packed: list[Path] = field(default_factory=list)
    spare_tables: list[Path] = field(default_factory=list)

    def search(self) -> Walk:
        """Search the folder and all below it; links are followed, each target once."""
        self._links: list[tuple[Path, tuple[Path, ...]]] = []
        self._targets: dict[Path, Path] = {}
        self._enter(self.root, ())
        # Links come last, so that a recording is read under its own name and not under a link's.
        while self._links:
            links, self._links = self._links, []
            for path, parents in links:
                self._follow(path, parents)
        self.paths, problems = first_parts(sorted(self.paths))
        self.errors += problems
        if self.foreign:
            shown = ", ".join(sorted({path.suffix for path in self.foreign}))
            logger.warning(
                "%s: %d recordings of formats that are not read: %s (as %s)",
                *(self.root, len(self.foreign), shown, self.foreign[0]),
            )
        warn_of_packed(self.root, self.packed)
        return self

    def _enter(self, folder: Path, parents: tuple[Path, ...]) -> None:
        """Search one folder; `parents` are the true paths of those above it."""
        target = folder.resolve()
        self._targets[target] = folder
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            names = [(folder / one.name, one.is_symlink(), is_folder(one)) for one in entries]
        except OSError as error:
            reason = f"the folder cannot be read ({error.strerror or error})"
            remedy = "change its permissions, or choose by `files`"
            self.errors.append(RecordingError(folder, reason, remedy))
            return
        aside = BIDS_ASIDE if is_bids([path.name for path, _, _ in names]) else ()
        for path, is_link, holds_more in names:
            if self._set_aside(path, holds_more, aside):
                continue
            if is_link:
                self._links.append((path, (*parents, target)))
            elif holds_more and path.suffix.lower() not in FOLDERS:
                self._enter(path, (*parents, target))
            else:
                self._take(path)

    def _set_aside(self, path: Path, holds_more: bool, aside: tuple[str, ...]) -> bool:
        """Return whether a name is hidden, or of a folder that holds no recording of the people."""
        if path.name in literal_parts(self.patterns or ()):
            return False
        return is_hidden(path.name) or (holds_more and path.name.lower() in aside)

    def _follow(self, path: Path, parents: tuple[Path, ...]) -> None:
        """Search or take what a link leads to, unless it leads in a circle or was met before."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # nothing, a circle of links, or no permission
            self._take(path)
            return
        if target in parents:
            logger.warning("%s is a link to %s, above itself: not followed", path, target)
        elif target in self._targets:
            if target.is_dir() or is_recording(path):
                logger.warning("%s leads to %s, which is read once", path, self._targets[target])
        elif target.is_dir() and path.suffix.lower() not in FOLDERS:
            self._enter(path, parents)
        else:
            self._take(path)

    def _take(self, path: Path) -> None:
        """Add a recording; what cannot be opened, whatever is in it, goes to the errors."""
        if path.suffix.lower() in FOREIGN:
            self.foreign.append(path)
        if not is_recording(path) and is_packed(path, is_recording):
            self.packed.append(path)
        if self.patterns is not None:
            is_candidate = is_selected(path, self.root, self.patterns)
        else:
            is_table = path.suffix.lower() == ".csv"
            is_candidate = is_recording(path) and (self.tables or not is_table)
            if is_table and is_recording(path) and not self.tables:
                self.spare_tables.append(path)
        if not is_candidate:
            return
        problem = None if path.is_dir() else problem_of(path)
        if problem is not None:
            self.errors.append(problem)
        else:
            self._targets[path.resolve()] = path
            self.paths.append(path)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or leads to one; false for links that go in a circle."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_bids(names: Collection[str]) -> bool:
    """Return whether a folder with such names in it is the root of a BIDS data set."""
    people = any(name.startswith("sub-") and "." not in name for name in names)
    return people or any(mark in names for mark in BIDS_MARKS)


def is_selected(path: Path, root: Path, patterns: Sequence[str]) -> bool:
    """Return whether one of some glob patterns fits a path below `root`."""
    parts = path.relative_to(root).parts
    return any(fits(parts, Path(pattern).parts) for pattern in patterns)


def fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path are those of a glob pattern; `**` is any folders.

    >>> fits(("a", "b", "x.edf"), ("**", "*.edf")), fits(("a", "x.edf"), ("*.edf",))
    (True, False)
    """
    # Path.glob does not follow links to folders, and enters hidden ones.
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(fits(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and fits(parts[1:], pattern[1:])


def literal_parts(patterns: Sequence[str]) -> set[str]:
    """Return the names of folders and files that patterns spell out."""
    parts = {part for pattern in patterns for part in Path(pattern).parts}
    return {part for part in parts if not set(part) & set("*?[")}


def is_recording(path: Path) -> bool:
    """Return whether a name is one of a recording."""
    # Recordings of 4D/BTi have no ending: their names hold "pdf" (processed data file).
    bti = "pdf" in path.name and not path.suffix
    double = path.name.lower().endswith(".fif.gz")
    # `.data` is the ending of much else.
    nicolet = path.suffix.lower() == ".data" and path.with_suffix(".head").exists()
    # A table of events beside a recording, separated by commas.
    if path.name.lower().endswith("_events.csv"):
        return False
    return path.suffix.lower() in ENDINGS or double or bti or nicolet


def is_packed(path: Path, is_wanted: Callable[[Path], bool]) -> bool:
    """Return whether a name is one of a packed or unfinished file, or of an archive.

    Args:
        path: of the file.
        is_wanted: whether a name, without such an ending, is one of a file that would be read.

    >>> [is_packed(Path(name), is_recording) for name in ("a.edf.gz", "a.zip", "notes.txt.gz")]
    [True, True, False]
    """
    ending = path.suffix.lower()
    behind = ending in (*PACKED, *PARTIAL) and is_wanted(path.with_suffix(""))
    tar = ending in PACKED and path.stem.lower().endswith(".tar")
    return behind or tar or ending in ARCHIVES


def warn_of_packed(root: Path, paths: Sequence[Path]) -> None:
    """Tell of files that nothing reads before they are unpacked."""
    if paths:
        text = (
            "%s: %d files are packed or not complete, and not read (as %s); unpack them, or fetch "
            "them to their end"
        )
        logger.warning(text, root, len(paths), paths[0])


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
        if path.is_symlink() and error.errno == errno.ENOENT:
            reason = f"a link to {os.readlink(path)}, which is not there"
        return RecordingError(path, reason, "fetch what it leads to, or remove it")
    if not stat.S_ISREG(mode):
        return RecordingError(path, "neither a file nor a folder", "leave it out by `files`")
    return None

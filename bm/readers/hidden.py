"""Files and folders that belong to a system and to no data set, on drives that several share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: Folders that systems keep: what was deleted, small pictures, what a Mac packs beside each file.
SYSTEM = ("$recycle.bin", "@eadir", "__macosx", "lost+found", "system volume information")


def visible(paths: Iterable[Path], root: Path) -> list[Path]:
    """Return the paths below a folder that no hidden name leads to, sorted.

    Systems leave such files beside those of a data set (`._S01.edf` on shared drives).
    """
    return sorted(p for p in paths if not any(map(is_hidden, p.relative_to(root).parts)))


def is_hidden(name: str) -> bool:
    """Return whether a name is hidden, or of a file or folder that a system keeps for itself."""
    return name.startswith((".", "~$")) or name.lower() in SYSTEM


def matches(root: Path, pattern: str) -> list[Path]:
    """Return what a pattern names below a folder, sorted; what is hidden only if it says so."""
    paths = root.glob(pattern)
    return sorted(paths) if "/." in f"/{pattern}" else visible(paths, root)

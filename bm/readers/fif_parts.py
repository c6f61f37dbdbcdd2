"""FIF recordings in several files: which file is a later part, and of which first one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import RecordingError

#: Names of later parts: of Neuromag and MNE (`x_raw-1.fif`) and of BIDS (`split-02`).
LATER = re.compile(r"-\d+\.fif(\.gz)?$|split-0*([2-9]|1\d+)\D", re.IGNORECASE)


def earlier_part(path: Path) -> str | None:
    """Return the name of the file that a FIF file continues; None when it begins a recording.

    The file says it itself: a block of references with the role "previous file".
    """
    from mne._fiff.constants import FIFF
    from mne._fiff.open import fiff_open
    from mne._fiff.tag import read_tag
    from mne._fiff.tree import dir_tree_find

    try:
        file, tree, _ = fiff_open(path, verbose="error")
    except Exception:
        return None  # damaged: said when it is read, like any other file
    with file:
        for node in dir_tree_find(tree, FIFF.FIFFB_REF):
            role, name = None, ""
            for entry in node["directory"]:
                if entry.kind == FIFF.FIFF_REF_ROLE:
                    role = int(read_tag(file, entry.pos).data.item())
                elif entry.kind == FIFF.FIFF_REF_FILE_NAME:
                    name = str(read_tag(file, entry.pos).data)
            if role == FIFF.FIFFV_ROLE_PREV_FILE:
                return Path(name).name or "another file"
    return None


def first_parts(paths: Sequence[Path]) -> tuple[list[Path], list[RecordingError]]:
    """Return paths without later parts of FIF recordings, and what is wrong with the others.

    A part is read with the first one. One whose first is missing is no recording: its samples
    would bear wrong times.
    """
    present, firsts, problems = set(paths), [], []
    for path in paths:
        if not LATER.search(path.name):
            firsts.append(path)
            continue
        before, likely = earlier_part(path), _likely_first(path)
        # MNE writes the name without `split-01` into later parts of BIDS recordings.
        if before is None and path not in _all_parts(likely, present):
            firsts.append(path)
        elif before is not None and not present & {path.with_name(before), likely}:
            problems.append(orphan(path, before))
    return firsts, problems


def _likely_first(path: Path) -> Path:
    """Return the path that the first part of a recording has by the rules of names."""
    if "split-" in path.name:
        return path.with_name(re.sub(r"split-(0*)\d+", _first_number, path.name))
    return path.with_name(re.sub(r"-\d+(\.fif(\.gz)?)$", r"\1", path.name, flags=re.IGNORECASE))


def _first_number(match: re.Match[str]) -> str:
    return f"split-{match[1]}1"


def _all_parts(first: Path, present: set[Path]) -> set[Path]:
    """Return all files that MNE reads with a first one; older writers name the next file only."""
    import mne

    if first not in present:
        return set()
    try:
        raw = mne.io.read_raw_fif(first, allow_maxshield="yes", verbose="error")
    except Exception:
        return set()  # said when the first one is read
    return {first.with_name(Path(name).name) for name in raw.filenames if name is not None}


def orphan(path: Path, before: str) -> RecordingError:
    """Return the error of a later part that is read by itself."""
    reason = f"a later part of a recording that begins in {before}"
    return RecordingError(path, reason, "keep the parts together under their names")

"""The list of recordings that could not be used, kept beside the cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import RecordingError, printable
from ..writing import written_aside

logger = logging.getLogger(__name__)
NAME = "skipped.tsv"


def report_skipped(
    errors: Sequence[RecordingError], folder: Path | None, readable: Iterable[str] = ()
) -> None:
    """Write every skipped recording to the log, and to `skipped.tsv` beside the store.

    Args:
        errors: one per recording that was skipped.
        folder: of the store; None = the log alone.
        readable: files of recordings that could be used: they leave the list.
    """
    for error in errors:
        logger.warning("skipped %s", error)
    if folder is None:
        return
    path = folder.parent / NAME
    try:
        # Other runs share the file: their lines stay, a recording has one line.
        former = path.read_text("utf-8").splitlines()[1:] if path.exists() else []
        lines = {line.split("\t")[0]: line for line in former}
        for name in map(printable, readable):
            lines.pop(name, None)
        for error in errors:
            cells = (error.path, error.reason, error.remedy)
            lines[error.path] = "\t".join(" ".join(cell.split("\t")) for cell in cells)
        if list(lines.values()) == former:
            return
        text = "\n".join(["path\treason\twhat to do", *lines.values()]) + "\n"
        with written_aside(path) as aside:
            aside.write_text(text, "utf-8")
    except OSError as error:
        logger.warning("%s cannot be written (%s)", path, error.strerror or error)
        return
    if errors:
        logger.warning("%d recordings were skipped; see %s", len(errors), path)

"""Faults of one recording, which never end the work on the others."""

from __future__ import annotations

import errno
import hashlib
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RecordingError, UserError, printable
from ..writing import written_aside

#: A full disk or too many open files would fail the next recording as well.
OF_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
REPORTS = "tracebacks"


@contextmanager
def of_recording(path: str | Path, folder: Path | None = None) -> Iterator[None]:
    """Raise whatever goes wrong inside as a `RecordingError` of one recording.

    What the program does not expect keeps its traceback in a file that the error names.

    Args:
        path: of the recording, for the message.
        folder: where the traceback is written; None = the system's folder for such files.
    """
    try:
        yield
    except (RecordingError, MemoryError):
        raise
    except UserError as error:
        reason, _, remedy = str(error).rpartition("; ")
        remedy = f"{remedy}, or leave this recording out" if reason else "leave it out"
        raise RecordingError(path, reason or str(error), remedy) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_MACHINE:
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        report = write_report(folder, str(path))
        remedy = f"leave it out, or report this; its traceback is in {report}"
        raise RecordingError(path, reason, remedy) from error


def write_report(folder: Path | None, name: str) -> Path:
    """Write the traceback of the current exception; return its file."""
    text = traceback.format_exc()
    key = hashlib.sha256(printable(name).encode()).hexdigest()[:12]
    for parent in (folder, Path(tempfile.gettempdir())):
        if parent is None:
            continue
        path = parent / REPORTS / f"{key}.txt"
        try:
            with written_aside(path, durable=False) as aside:
                content = f"{printable(name)}\n\n{text}"
                aside.write_text(content, "utf-8", errors="backslashreplace")
        except OSError:
            continue
        return path
    return Path("(nowhere: no folder can be written)")

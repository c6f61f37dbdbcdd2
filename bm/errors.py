"""Mistakes of the user, as opposed to bugs: one clear line, exit code 2, no traceback.

Ground floor: every room may import this module; it imports nothing of the package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

SHOWN = 12  # names that a message lists


class UserError(Exception):
    """Request that cannot be met; the message says what is wrong and what to do.

    The command-line entry points print the message as one line and exit with code 2.
    """

    exit_code = 2


class RecordingError(UserError):
    """Recording that cannot be used: `path`, `reason`, and `remedy` (what to do about it)."""

    def __init__(self, path: str | Path, reason: str, remedy: str) -> None:
        self.path, self.reason, self.remedy = printable(path), printable(reason), remedy
        super().__init__(f"{self.path}: {self.reason}; {self.remedy}")


def printable(text: str | Path) -> str:
    """Return a text in one line that any terminal and file takes, bytes of odd names as `\\xe9`."""
    whole = " ".join(str(text).split("\n"))
    return whole.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return a hint: the closest of the candidates, all of them when few, else nothing.

    >>> nearest("motr", ["motor", "background"])
    "; did you mean 'motor'?"
    """
    names = sorted(candidates)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    # Over 20 names would hide the sentence that says what is wrong.
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= 20 else ""


def there_is(names: Iterable[str], value: str = "") -> str:
    """Return what there is, and which of it is meant perhaps, for the end of a message.

    >>> there_is(["left", "right"], "lefft")
    "did you mean 'left'? there is: left, right"
    """
    present = sorted(set(map(str, names)))
    if not present:
        return "there is none"
    close = difflib.get_close_matches(value, present, n=1, cutoff=0.5) if value else []
    more = f", ... ({len(present)} in all)" if len(present) > SHOWN else ""
    listed = f"there is: {', '.join(present[:SHOWN])}{more}"
    return f"did you mean {close[0]!r}? {listed}" if close else listed

"""TextGrid files of Praat: tiers of named intervals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ..errors import RecordingError
from .edf import FETCH

TIER = re.compile(r'name\s*=\s*"((?:[^"]|"")*)"')
INTERVAL = re.compile(
    r"xmin\s*=\s*([\d.eE+-]+)\s*xmax\s*=\s*([\d.eE+-]+)\s*text\s*=\s*\"((?:[^\"]|\"\")*)\""
)


class Interval(NamedTuple):
    """A stretch of time (s) and its name."""

    start_s: float
    stop_s: float
    name: str


def read_textgrid(path: Path) -> dict[str, list[Interval]]:
    """Read intervals by tier, in order; long text format, UTF-8 or UTF-16.

    Raises:
        RecordingError: no such file, or no tier in it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(path, (error.strerror or str(error)).lower(), FETCH) from None
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:  # neither; Latin-1 reads any byte
        text = content.decode("latin-1")
    names = list(TIER.finditer(text))
    tiers = {}
    # Praat doubles quotation marks inside names.
    for number, tier in enumerate(names):
        stop = names[number + 1].start() if number + 1 < len(names) else len(text)
        tiers[tier[1]] = [
            Interval(float(start), float(end), name.replace('""', '"'))
            for start, end, name in INTERVAL.findall(text[tier.end() : stop])
        ]
    if not tiers:
        raise RecordingError(path, "no tier of intervals", FETCH)
    return tiers

"""What Dora prints, as a person or a file can read it: plain when nobody watches, and to an end."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from dora import grid as dora_grid
from dora import info as dora_info
from dora import log as dora_log
from dora.shep import Sheep
from treetable.text import colorize

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NUMBERS = re.compile(r"[\d.+%\-\s]|\b(?:nan|inf)\b|(?<=\d)e")
TAIL = 200  # lines of a log that `-t` prints
LATER_S = 60.0  # a log that was written so much later is of another run
#: Minutes between tables of `dora grid` unless `-i` says otherwise; Dora's own are 5.
INTERVAL = 0.25


class Plain:
    """Stand-in for `print` in Dora's monitoring of grids.

    On a terminal it prints as Dora does. Elsewhere there are no colours, no countdown, a table only
    when some experiment has another state than before, and a line between tables once: nine small
    runs would fill 84 kB.
    """

    def __init__(self) -> None:
        self.before = ""
        self.lines: set[str] = set()

    def __call__(self, *parts: Any, end: str = "\n", **options: Any) -> None:
        """Print the parts, or nothing."""
        if sys.stdout.isatty():
            print(*parts, end=end, **options)
            return
        text = COLOUR.sub("", " ".join(map(str, parts)))
        if end == "\r" or not text.strip():
            return
        if "\n" in text:
            states = NUMBERS.sub("", text)
            if states == self.before:
                return
            self.before = states
        elif text in self.lines:
            return
        else:
            self.lines.add(text)
        print(text, flush=True)


class EndOfLog:
    """Stand-in for `os` in Dora's modules: `tail -f` prints the end of a log and returns.

    It also says how the log is followed; a script that asked for it would hang otherwise.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def execvp(self, program: str, words: list[Any]) -> None:
        """Print the last lines of the log that `words` ends with."""
        path = Path(words[-1])
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-TAIL:]))
        print(f"follow it: tail -f {path}", file=sys.stderr)


def interval_of(words: list[str]) -> float | None:
    """Return the minutes between tables where the command line does not say them, else None."""
    chosen = any(w == "--interval" or w.startswith(("-i", "--interval=")) for w in words)
    return None if chosen else INTERVAL


def colorized(text: str, code: str) -> str:
    """Return the text in a colour or weight of terminals, or as it is where there is none."""
    return colorize(text, code) if sys.stderr.isatty() else text


def install() -> None:
    """Replace what Dora prints with; a second call does nothing."""
    if isinstance(getattr(dora_grid, "print", None), Plain):
        return
    dora_grid.print = Plain()  # type: ignore[attr-defined]
    dora_grid.os = dora_info.os = EndOfLog()  # type: ignore[attr-defined,assignment]
    dora_log.colorize = colorized
    log = Sheep.log.fget  # type: ignore[attr-defined]

    def log_of(sheep: Sheep) -> Path:
        """Return the newer log, that of the job or of `dora run`; where it will be if none is."""
        # Hydra names it after the file of the function that it calls: train.log, or main.log
        job, runs = log(sheep), sorted(sheep.xp.folder.glob("*.log"), key=_changed)
        # A job writes both, and its own has the tracebacks.
        if job is not None and not (runs and _changed(runs[-1]) > _changed(job) + LATER_S):
            return job
        return runs[-1] if runs else sheep.xp.folder / "main.log"

    Sheep.log = property(log_of)  # type: ignore[assignment,method-assign]


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0

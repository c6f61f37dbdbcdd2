"""Commands in the pages of the documentation, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?:bash|sh|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
STARTS = ("dora ", "python -m scripts.", "make ")
#: In place of a signature in a page.
SIGNATURE = "ab12cd34"


def pages() -> list[Path]:
    """README and all pages."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(page: Path) -> list[list[str]]:
    """Return the words of each command in the plain blocks of a page, remarks left out."""
    commands = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():  # a line may go on
            if line.startswith(STARTS):
                text = re.sub(r"\bSIG\b", SIGNATURE, line)
                commands.append(shlex.split(text, comments=True))
    return commands

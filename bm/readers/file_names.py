"""What names of files say about people: files that lie side by side may all be of one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger(__name__)
#: A person by the first number in the name of a file, and the run by the rest: S001R02.edf.
NUMBERED = "^(?P<subject>[^0-9]*[0-9]+)(?P<run>[^0-9].*)[.]"


def shared_beginnings(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names that are equal up to the end of their first number, by that beginning.

    >>> shared_beginnings(["S1_rest", "S1_task", "S2_rest", "S12"])
    {'S1': ['S1_rest', 'S1_task']}
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        match = re.match(NUMBERED, name + ".")
        if match is not None:
            groups.setdefault(match["subject"], []).append(name)
    return {start: members for start, members in groups.items() if len(members) > 1}


def warn_of_one_person(folder: Path, names: Iterable[str]) -> None:
    """Say so where files count as people each, and their names as runs of one.

    Args:
        folder: in which they lie.
        names: of the files that count as people, without their endings.
    """
    for start, members in shared_beginnings(names).items():
        logger.warning(
            "%s: %d files begin with %s (%s), and each counts as a person; if they are of one, lay "
            "them in a folder %s, or give the study pattern: '%s'",
            *(folder, len(members), start, ", ".join(members[:3]), start, NUMBERED),
        )

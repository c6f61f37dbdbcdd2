"""How many people train: tested on the same 10 of schoffelen2019."""

from __future__ import annotations

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import more_people

PEOPLE = tuple(range(10, 101, 10))
TESTED = 10


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule more and more people."""
    more_people(launcher, "schoffelen2019", PEOPLE, TESTED)

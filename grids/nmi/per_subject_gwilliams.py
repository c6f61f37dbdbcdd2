"""How many people train: tested on the same 3 of gwilliams2022."""

from __future__ import annotations

from dora import Launcher

from ..clip._explorer import ClipExplorer
from ._common import more_people

PEOPLE = tuple(range(3, 28, 3))
TESTED = 3


@ClipExplorer
def explorer(launcher: Launcher) -> None:
    """Schedule more and more people."""
    more_people(launcher, "gwilliams2022", PEOPLE, TESTED)

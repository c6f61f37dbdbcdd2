"""Removal of experiments: what others need stays, and nothing outside the outputs is touched."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError, nearest
from .inventory import downstream_of, size_of, state_of


@dataclass(frozen=True)
class Removal:
    """What would be removed, and what stays with the reason.

    Attributes:
        folders: of the experiments that go, with their evaluations.
        stays: signature -> reason.
        bytes: that are freed.
    """

    folders: tuple[Path, ...]
    stays: dict[str, str]
    bytes: int


def plan_removal(sigs: Sequence[str], root: Path) -> Removal:
    """Decide which of some experiments may go.

    One that runs stays, and so does one that a remaining experiment begins from.

    Args:
        sigs: signatures.
        root: folder of all results.

    Raises:
        UserError: no experiment of such a signature.
    """
    xps = root / "xps"
    present = [path.name for path in xps.iterdir() if path.is_dir()] if xps.is_dir() else []
    for sig in sigs:
        if sig not in present:
            raise UserError(f"no experiment {sig!r} in {root / 'xps'}{nearest(sig, present)}")
    users, going, stays = downstream_of(root), dict.fromkeys(sigs), dict[str, str]()
    for sig in sigs:
        if state_of(root / "xps" / sig) == "running":
            stays[sig] = "it runs"
    # what stays needs its own upstream: until nothing changes
    while True:
        users_left = {sig: users.get(sig, set()) - (going.keys() - stays.keys()) for sig in going}
        new = {
            s: f"{sorted(u)[0]} begins from it"
            for s, u in users_left.items()
            if u and s not in stays
        }
        if not new:
            break
        stays |= new
    folders = [root / "xps" / sig for sig in going if sig not in stays]
    folders += [
        root / "eval" / path.name for path in folders if (root / "eval" / path.name).exists()
    ]
    return Removal(tuple(folders), stays, sum(map(size_of, folders)))


def remove(removal: Removal, root: Path) -> None:
    """Remove the folders of a plan, and the links of grids to them."""
    for folder in removal.folders:
        # renamed first: whoever dies here leaves no half of an experiment under its name
        aside = folder.with_name(f".removed.{folder.name}")
        folder.rename(aside)
        shutil.rmtree(aside)
        for grid in (root / "grids").glob("*"):
            link = grid / folder.name  # broken by now, so that no pattern finds it
            if link.is_symlink():
                link.unlink()
